// A GUID partition table (UEFI 2.10, section 5.3) on a disk of 512-byte blocks.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::tools {

inline constexpr uint64_t kSectorSize = 512;
inline constexpr uint64_t kPartitionAlignment = 1 << 20;  // bytes

using Guid = std::array<uint8_t, 16>;  // as it stands on disk

struct Partition {
  Guid type{};
  Guid id{};
  uint64_t start = 0;   // bytes, aligned
  uint64_t length = 0;  // bytes
  std::string name;     // ASCII, at most 36 characters
};

// A version 4 GUID from the system's random numbers.
Guid random_guid();

// Bytes of a disk that ends right after `last` and its copy of the table.
uint64_t disk_size_for(const Partition& last);

// Writes protective MBR, table and the copy at the end into an open file of `disk_size` bytes. `name` for errors.
Result<void> write_partition_table(int file, const std::string& name, uint64_t disk_size, const Guid& disk_id,
                                   std::span<const Partition> partitions);

}  // namespace mortem::tools
