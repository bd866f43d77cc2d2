#include "kernel/fs/block_cache.h"

#include "kernel/memory/physical.h"

namespace kernel {

BlockCache::BlockCache(BlockDevice& device, uint64_t offset, uint64_t length, size_t memory)
    : device_(device), offset_(offset), length_(length), chunk_limit_(memory / kChunkSize) {
  if (chunk_limit_ < 1) chunk_limit_ = 1;
  if (chunk_limit_ > kMaximumChunks) chunk_limit_ = kMaximumChunks;
}

BlockCache::Chunk* BlockCache::find(uint64_t number) {
  for (size_t index = 0; index < chunk_limit_; ++index) {
    Chunk& chunk = chunks_[index];
    if (chunk.last_use == 0 || chunk.number != number) continue;
    chunk.last_use = ++clock_;
    return &chunk;
  }
  return nullptr;
}

Result<BlockCache::Chunk*> BlockCache::load(uint64_t number) {
  if (Chunk* chunk = find(number)) return chunk;
  Chunk* oldest = &chunks_[0];
  for (size_t index = 1; index < chunk_limit_; ++index)
    if (chunks_[index].last_use < oldest->last_use) oldest = &chunks_[index];
  if (oldest->bytes == nullptr) {
    auto pages = allocate_pages(kChunkSize / kPageSize, PageOwner::DiskState);
    if (pages) {
      oldest->bytes = direct_map<uint8_t>(pages.value());
    } else {
      // Memory is short: the oldest chunk that has some gives its place.
      oldest = nullptr;
      for (size_t index = 0; index < chunk_limit_; ++index)
        if (chunks_[index].bytes != nullptr && (oldest == nullptr || chunks_[index].last_use < oldest->last_use))
          oldest = &chunks_[index];
      if (oldest == nullptr) return pages.error();
    }
  }
  const uint64_t start = number * kChunkSize;
  const size_t size = length_ - start < kChunkSize ? length_ - start : kChunkSize;
  oldest->last_use = 0;
  TRY(fill(*oldest, start, size));
  oldest->number = number;
  oldest->last_use = ++clock_;
  return oldest;
}

Result<void> BlockCache::fill(Chunk& chunk, uint64_t start, size_t size) {
  chunk.unreadable = 0;
  auto whole = device_.read(offset_ + start, {chunk.bytes, size});
  if (whole || whole.error() != Error::Io) return whole;
  for (size_t at = 0; at < size; at += kPieceSize) {
    const size_t piece = size - at < kPieceSize ? size - at : kPieceSize;
    if (device_.read(offset_ + start + at, {chunk.bytes + at, piece}).is_error())
      chunk.unreadable |= uint64_t{1} << at / kPieceSize;
  }
  return {};
}

bool BlockCache::is_readable(const Chunk& chunk, size_t offset, size_t size) {
  for (size_t at = offset / kPieceSize * kPieceSize; at < offset + size; at += kPieceSize)
    if (chunk.unreadable & (uint64_t{1} << at / kPieceSize)) return false;
  return true;
}

Result<std::span<const uint8_t>> BlockCache::view(uint64_t offset, size_t size) {
  if (offset > length_ || size > length_ - offset || offset % kChunkSize + size > kChunkSize) return Error::Io;
  const Chunk* chunk = TRY(load(offset / kChunkSize));
  if (!is_readable(*chunk, offset % kChunkSize, size)) return Error::Io;
  return std::span<const uint8_t>{chunk->bytes + offset % kChunkSize, size};
}

// A chunk may be read from the disk while a write to it is under way: it is brought up to date before and behind it.
void BlockCache::patch(uint64_t offset, std::span<const uint8_t> from) {
  while (!from.empty()) {
    size_t part = kChunkSize - offset % kChunkSize;
    if (part > from.size()) part = from.size();
    for (size_t index = 0; index < chunk_limit_; ++index) {
      Chunk& chunk = chunks_[index];
      if (chunk.last_use != 0 && chunk.number == offset / kChunkSize)
        __builtin_memcpy(chunk.bytes + offset % kChunkSize, from.data(), part);
    }
    offset += part;
    from = from.subspan(part);
  }
}

Result<void> BlockCache::write(uint64_t offset, std::span<const uint8_t> from, DiskWait wait) {
  if (offset > length_ || from.size() > length_ - offset) return Error::Io;
  patch(offset, from);
  TRY(device_.write(offset_ + offset, from, wait));
  if (wait == DiskWait::Sleep) patch(offset, from);
  return {};
}

Result<void> BlockCache::write_pages(uint64_t offset, std::span<uint8_t* const> pages, DiskWait wait) {
  if (offset > length_ || pages.size() * kPageSize > length_ - offset) return Error::Io;
  const auto patch_all = [&] {
    for (size_t index = 0; index < pages.size(); ++index) patch(offset + index * kPageSize, {pages[index], kPageSize});
  };
  patch_all();
  TRY(device_.write_pages(offset_ + offset, pages, wait));
  if (wait == DiskWait::Sleep) patch_all();
  return {};
}

Result<void> BlockCache::read_pages(uint64_t offset, std::span<uint8_t* const> pages) {
  if (offset > length_ || pages.size() * kPageSize > length_ - offset) return Error::Io;
  return device_.read_pages(offset_ + offset, pages);
}

Result<void> BlockCache::read(uint64_t offset, std::span<uint8_t> to) {
  constexpr size_t kSector = 512;
  if (offset > length_ || to.size() > length_ - offset) return Error::Io;
  while (!to.empty()) {
    size_t part = kChunkSize - offset % kChunkSize;
    if (part > to.size()) part = to.size();
    Chunk* chunk = find(offset / kChunkSize);
    if (chunk == nullptr && to.size() >= kChunkSize && offset % kSector == 0) {
      // A large piece is read past the cache, in one request up to the next chunk that is in memory.
      size_t direct = part;
      while (direct < to.size() && find((offset + direct) / kChunkSize) == nullptr)
        direct += to.size() - direct < kChunkSize ? to.size() - direct : kChunkSize;
      direct -= direct % kSector;
      TRY(device_.read(offset_ + offset, to.first(direct)));
      part = direct;
    } else {
      if (chunk == nullptr) chunk = TRY(load(offset / kChunkSize));
      if (!is_readable(*chunk, offset % kChunkSize, part)) return Error::Io;
      __builtin_memcpy(to.data(), chunk->bytes + offset % kChunkSize, part);
    }
    offset += part;
    to = to.subspan(part);
  }
  return {};
}

}  // namespace kernel
