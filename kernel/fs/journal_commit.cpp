// The writer's side of the journal: the log.
#include <algorithm>

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/fs/journal.h"
#include "kernel/memory/heap.h"

namespace kernel::ext2 {
namespace {

void put_header(uint8_t* block, JournalBlockType type, uint32_t sequence) {
  const JournalHeader header{kJournalMagic, type, sequence};
  __builtin_memcpy(block, &header, sizeof header);
}

}  // namespace

Result<void> Journal::write_superblock(uint32_t start, uint32_t sequence, DiskWait wait) {
  // Only a superblock of version 2 has feature words; mke2fs makes no other.
  if (superblock_.header.type == kSuperblockV2)
    superblock_.feature_incompatible = superblock_.feature_incompatible | kJournalRevokes;
  superblock_.start = start;
  superblock_.sequence = sequence;
  uint8_t sector[512];
  const uint64_t place = uint64_t{blocks_[0]} * block_size_;
  TRY(disk_.read(place, sector));
  __builtin_memcpy(sector, &superblock_, sizeof superblock_);
  TRY(disk_.write(place, sector, wait));
  start_ = start;
  return {};
}

Result<void> Journal::start(DiskWait wait) {
  TRY(write_superblock(head_, next_sequence_, wait));
  started_ = true;
  return {};
}

Result<void> Journal::finish(DiskWait wait) {
  if (!started_) return {};
  TRY(write_superblock(0, next_sequence_, wait));
  TRY(disk_.flush(wait));
  started_ = false;
  return {};
}

bool Journal::has_log_space() const {
  return used_ + log_blocks_for(running_count_, running_revoke_count_) < block_count_ - first_;
}

void Journal::close_transaction() {
  std::swap(running_, committing_);
  committing_count_ = running_count_;
  running_count_ = 0;
  for (uint32_t index = 0; index < committing_count_; ++index) {
    Buffer& buffer = *committing_[index];
    buffer.in_running = false;
    if (buffer.committed != nullptr && buffer.committed != buffer.bytes) give_page(buffer.committed);
    buffer.committed = buffer.bytes;
  }
  // The next transaction's revokes get memory when it reserves some.
  heap_free(committing_revokes_);
  committing_revokes_ = running_revokes_;
  committing_revoke_count_ = running_revoke_count_;
  running_revokes_ = nullptr;
  running_revoke_count_ = revoke_capacity_ = 0;
  ++next_sequence_;
}

Result<void> Journal::flush_staging(DiskWait wait) {
  if (staged_count_ == 0) return {};
  const uint32_t count = staged_count_;
  staged_count_ = 0;
  return disk_.write(uint64_t{staged_first_} * block_size_, {staging_, size_t{count} * block_size_}, wait);
}

// Room for the content of a block of the disk, written together with those before it if they stand side by side.
Result<uint8_t*> Journal::append(uint32_t block, DiskWait wait) {
  if (staged_count_ == kStagingBlocks || (staged_count_ > 0 && block != staged_first_ + staged_count_))
    TRY(flush_staging(wait));
  if (staged_count_ == 0) staged_first_ = block;
  return staging_ + size_t{staged_count_++} * block_size_;
}

Result<uint8_t*> Journal::append_to_log(DiskWait wait) {
  uint8_t* bytes = TRY(append(blocks_[head_], wait));
  head_ = next_in_log(head_);
  ++used_;
  return bytes;
}

Result<void> Journal::write_blocks_to_log(uint32_t sequence, DiskWait wait) {
  const uint32_t tags = (block_size_ - sizeof(JournalHeader) - kTagIdSize) / sizeof(JournalTag);
  for (uint32_t first = 0; first < committing_count_; first += tags) {
    const uint32_t count = committing_count_ - first < tags ? committing_count_ - first : tags;
    uint8_t* descriptor = TRY(append_to_log(wait));
    __builtin_memset(descriptor, 0, block_size_);
    put_header(descriptor, kDescriptorBlock, sequence);
    size_t at = sizeof(JournalHeader);
    for (uint32_t index = 0; index < count; ++index) {
      const Buffer& buffer = *committing_[first + index];
      BigEndian32 start;
      __builtin_memcpy(&start, buffer.committed, sizeof start);
      uint16_t flags = index > 0 ? kTagSameId : 0;
      if (start == kJournalMagic) flags |= kTagEscaped;
      if (index + 1 == count) flags |= kTagLast;
      const JournalTag tag{buffer.block, 0, __builtin_bswap16(flags)};
      __builtin_memcpy(descriptor + at, &tag, sizeof tag);
      at += sizeof tag;
      if (index > 0) continue;
      __builtin_memcpy(descriptor + at, superblock_.id, kTagIdSize);
      at += kTagIdSize;
    }
    for (uint32_t index = 0; index < count; ++index) {
      uint8_t* bytes = TRY(append_to_log(wait));
      __builtin_memcpy(bytes, committing_[first + index]->committed, block_size_);
      BigEndian32 start;
      __builtin_memcpy(&start, bytes, sizeof start);
      if (start == kJournalMagic) __builtin_memset(bytes, 0, sizeof start);
    }
  }
  return {};
}

Result<void> Journal::write_revokes_to_log(uint32_t sequence, DiskWait wait) {
  const uint32_t numbers = (block_size_ - sizeof(RevokeHeader)) / 4;
  for (uint32_t first = 0; first < committing_revoke_count_; first += numbers) {
    const uint32_t left = committing_revoke_count_ - first, count = left < numbers ? left : numbers;
    uint8_t* block = TRY(append_to_log(wait));
    __builtin_memset(block, 0, block_size_);
    put_header(block, kRevokeBlock, sequence);
    const BigEndian32 used = static_cast<uint32_t>(sizeof(RevokeHeader)) + count * 4;
    __builtin_memcpy(block + offsetof(RevokeHeader, used), &used, sizeof used);
    for (uint32_t index = 0; index < count; ++index) {
      const BigEndian32 number = committing_revokes_[first + index];
      __builtin_memcpy(block + sizeof(RevokeHeader) + index * 4, &number, sizeof number);
    }
  }
  return {};
}

Result<void> Journal::write_transaction(DiskWait wait) {
  const uint32_t sequence = next_sequence_ - 1;
  TRY(write_blocks_to_log(sequence, wait));
  TRY(write_revokes_to_log(sequence, wait));
  TRY(flush_staging(wait));
  // Data, descriptors and blocks are on the disk before the block that makes them count.
  TRY(disk_.flush(wait));
  uint8_t* block = TRY(append_to_log(wait));
  __builtin_memset(block, 0, block_size_);
  CommitBlock commit{};
  const auto now = static_cast<uint64_t>(wall_clock_ns());
  commit.header = {kJournalMagic, kCommitBlock, sequence};
  commit.seconds_high = static_cast<uint32_t>(now / 1'000'000'000 >> 32);
  commit.seconds_low = static_cast<uint32_t>(now / 1'000'000'000);
  commit.nanoseconds = static_cast<uint32_t>(now % 1'000'000'000);
  __builtin_memcpy(block, &commit, sizeof commit);
  TRY(flush_staging(wait));
  TRY(disk_.flush(wait));
  committed_sequence_ = sequence;
  committing_count_ = 0;
  // Blocks that were given up in this transaction need not come home any more; others may have them from now on.
  for (uint32_t index = 0; index < committing_revoke_count_; ++index) {
    Buffer* buffer = find(committing_revokes_[index]);
    if (buffer != nullptr && buffer->forgotten) drop(*buffer);
  }
  committing_revoke_count_ = 0;
  return {};
}

Result<void> Journal::checkpoint(DiskWait wait) {
  if (used_ == 0) return {};
  // The log stays as it is until all of it is home: what is not in memory for the list is tried again later.
  auto** pending = static_cast<Buffer**>(heap_allocate(buffer_count_ * sizeof(Buffer*) + 1));
  if (pending == nullptr) return Error::NoMemory;
  size_t count = 0;
  for (Buffer* bucket : buckets_)
    for (Buffer* buffer = bucket; buffer != nullptr; buffer = buffer->next)
      if (buffer->committed != nullptr) pending[count++] = buffer;
  std::sort(pending, pending + count, [](const Buffer* a, const Buffer* b) { return a->block < b->block; });
  Result<void> result;
  for (size_t index = 0; index < count && !result.is_error(); ++index) {
    auto bytes = append(pending[index]->block, wait);
    if (bytes.is_error())
      result = bytes.error();
    else
      __builtin_memcpy(bytes.value(), pending[index]->committed, block_size_);
  }
  if (!result.is_error()) result = flush_staging(wait);
  if (!result.is_error()) result = disk_.flush(wait);
  for (size_t index = 0; index < count && !result.is_error(); ++index) {
    Buffer& buffer = *pending[index];
    if (!buffer.in_running && buffer.bytes == buffer.committed) {
      drop(buffer);
      continue;
    }
    give_page(buffer.committed);
    buffer.committed = nullptr;
  }
  heap_free(pending);
  TRY(result);
  TRY(write_superblock(head_, next_sequence_, wait));
  TRY(disk_.flush(wait));
  used_ = 0;
  return {};
}

}  // namespace kernel::ext2
