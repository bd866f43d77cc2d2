// A disk as the dump slot needs it. On a guest: polled virtio-blk; in tests: a file in memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kernel {

// Offsets from the start of the disk, sizes multiples of 512. Every call ends in bounded time. False: it failed, and
// error() says why in a few words.
class DumpDisk {
 public:
  virtual bool read(uint64_t offset, void* to, size_t size) = 0;
  // May return while the device still reads from the buffer: that is over when the next call of any kind returns.
  virtual bool write(uint64_t offset, const void* from, size_t size) = 0;
  // All writes have arrived on stable storage.
  virtual bool flush() = 0;
  virtual const char* error() const = 0;

 protected:
  ~DumpDisk() = default;
};

}  // namespace kernel
