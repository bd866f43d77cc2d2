// A cache of part of a disk, in chunks that are larger than a block: what stands beside a block is mostly wanted next.
// Pages of files that are read ahead go past it, straight into the page cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/drivers/block_device.h"
#include "kernel/library/result.h"

namespace kernel {

class BlockCache {
 public:
  // The part [offset, offset + length) of the device, in about `memory` bytes, 4 MiB at most.
  BlockCache(BlockDevice& device, uint64_t offset, uint64_t length, size_t memory);

  uint64_t length() const { return length_; }
  // Bytes [offset, offset + size) of the part, which lie within one chunk; they stay until the next call of any method.
  // Io: outside of the part, or the disk could not be read.
  Result<std::span<const uint8_t>> view(uint64_t offset, size_t size);
  bool is_read_only() const { return device_.is_read_only(); }
  // To the disk, and into the chunk that is in memory. `pages`: 4096 bytes each, side by side on the disk.
  Result<void> write(uint64_t offset, std::span<const uint8_t> from, DiskWait wait);
  Result<void> write_pages(uint64_t offset, std::span<uint8_t* const> pages, DiskWait wait);
  Result<void> flush(DiskWait wait) { return device_.flush(wait); }
  // Copies from chunks that are in memory or worth to be; goes to the disk directly for large pieces.
  Result<void> read(uint64_t offset, std::span<uint8_t> to);
  // From the disk, whatever is in memory. Whole sectors; `pages` as above.
  Result<void> read_again(uint64_t offset, std::span<uint8_t> to) { return device_.read(offset_ + offset, to); }
  Result<void> read_pages(uint64_t offset, std::span<uint8_t* const> pages);

 private:
  struct Chunk {
    uint64_t number;
    uint64_t last_use;  // 0: empty
    uint8_t* bytes;
    uint64_t unreadable;  // bit n: piece n could not be read
  };
  // A bad sector takes this much with it, not the whole chunk.
  static constexpr size_t kPieceSize = 4096;
  static constexpr size_t kChunkSize = 16 << 10, kMaximumChunks = 256;
  static_assert(kChunkSize / kPieceSize <= 64);

  Chunk* find(uint64_t number);
  Result<void> fill(Chunk& chunk, uint64_t start, size_t size);
  static bool is_readable(const Chunk& chunk, size_t offset, size_t size);
  Result<Chunk*> load(uint64_t number);
  void patch(uint64_t offset, std::span<const uint8_t> from);

  BlockDevice& device_;
  uint64_t offset_, length_;
  size_t chunk_limit_;
  uint64_t clock_ = 0;
  Chunk chunks_[kMaximumChunks] = {};
};

}  // namespace kernel
