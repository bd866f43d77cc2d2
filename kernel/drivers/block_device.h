// The disk: virtio-blk. Synchronous requests; offsets and sizes in bytes, multiples of 512.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/library/result.h"

namespace kernel {

class BlockDevice {
 public:
  virtual ~BlockDevice() = default;
  virtual uint64_t size() const = 0;  // bytes
  virtual Result<void> read(uint64_t offset, std::span<uint8_t> to) = 0;
  virtual Result<void> write(uint64_t offset, std::span<const uint8_t> from) = 0;
  virtual Result<void> flush() = 0;
};

// A partition of the disk, found in its GPT.
struct Partition {
  uint64_t offset, length;  // bytes
};

BlockDevice* disk();                                          // null: none
Result<Partition> find_partition(const uint8_t (&type)[16]);  // first of that type; NoDevice if there is none

}  // namespace kernel
