// The disk: virtio-blk. Requests are done when the call returns; offsets and sizes in bytes, multiples of 512.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/library/result.h"

namespace kernel {

// How a call waits for the disk. Poll: no other thread runs meanwhile (at boot, in the middle of something that must
// not be seen half done). Sleep: others run; only for kernel threads.
enum class DiskWait : uint8_t { Poll, Sleep };

class BlockDevice {
 public:
  virtual ~BlockDevice() = default;
  virtual uint64_t size() const = 0;  // bytes
  virtual Result<void> read(uint64_t offset, std::span<uint8_t> to) = 0;
  virtual Result<void> write(uint64_t offset, std::span<const uint8_t> from, DiskWait wait = DiskWait::Poll) = 0;
  // Pages (4096 bytes each) that stand anywhere in memory and side by side on the disk.
  virtual Result<void> write_pages(uint64_t offset, std::span<uint8_t* const> pages, DiskWait wait) {
    for (uint8_t* page : pages) {
      if (auto written = write(offset, {page, 4096}, wait); written.is_error()) return written;
      offset += 4096;
    }
    return {};
  }
  virtual Result<void> read_pages(uint64_t offset, std::span<uint8_t* const> pages) {
    for (uint8_t* page : pages) {
      if (auto got = read(offset, {page, 4096}); got.is_error()) return got;
      offset += 4096;
    }
    return {};
  }
  // Everything that was written before survives a power cut.
  virtual Result<void> flush(DiskWait wait = DiskWait::Poll) = 0;
  virtual bool is_read_only() const { return false; }
};

// A partition of the disk, found in its GPT.
struct Partition {
  uint64_t offset, length;  // bytes
};

// What the disk gave and took since the start.
struct DiskCounts {
  uint64_t bytes_read = 0, bytes_written = 0;
};
inline DiskCounts g_disk_counts;

BlockDevice* disk();                                          // null: none
Result<Partition> find_partition(const uint8_t (&type)[16]);  // first of that type; NoDevice if there is none

}  // namespace kernel
