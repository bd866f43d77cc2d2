// Replay at mount: what the log says is checked like everything on the disk.
#include <algorithm>

#include "kernel/fs/journal.h"
#include "kernel/library/log.h"
#include "kernel/memory/heap.h"

namespace kernel::ext2 {
namespace {

struct HeapMemory {
  void* pointer;
  ~HeapMemory() { heap_free(pointer); }
};

}  // namespace

// Walks the transactions from the log's start up to the one with sequence `last` (not included) and calls
// on_block(sequence, block, place in the log, escaped) and on_revoke(sequence, block). Returns the sequence of the
// first transaction that is not complete.
template <typename OnBlock, typename OnRevoke>
Result<uint32_t> Journal::scan(uint32_t last, OnBlock on_block, OnRevoke on_revoke) {
  HeapMemory memory{heap_allocate(block_size_)};
  if (memory.pointer == nullptr) return Error::NoMemory;
  auto* block = static_cast<uint8_t*>(memory.pointer);
  uint32_t at = start_, sequence = superblock_.sequence;
  for (uint32_t seen = 0; seen < block_count_ - first_ && sequence != last; ++seen) {
    TRY(disk_.read(offset_of(at), {block, block_size_}));
    at = next_in_log(at);
    JournalHeader header;
    __builtin_memcpy(&header, block, sizeof header);
    if (header.magic != kJournalMagic || header.sequence != sequence) break;
    if (header.type == kCommitBlock) {
      ++sequence;
    } else if (header.type == kDescriptorBlock) {
      for (size_t tag_at = sizeof header; tag_at + sizeof(JournalTag) <= block_size_; ++seen) {
        JournalTag tag;
        __builtin_memcpy(&tag, block + tag_at, sizeof tag);
        const uint16_t flags = __builtin_bswap16(tag.flags);
        tag_at += sizeof tag + ((flags & kTagSameId) != 0 ? 0 : kTagIdSize);
        TRY(on_block(sequence, uint32_t{tag.block}, at, (flags & kTagEscaped) != 0));
        at = next_in_log(at);
        if ((flags & kTagLast) != 0 || seen > block_count_) break;
      }
    } else if (header.type == kRevokeBlock) {
      BigEndian32 used;
      __builtin_memcpy(&used, block + offsetof(RevokeHeader, used), sizeof used);
      const uint32_t end = used < block_size_ ? uint32_t{used} : block_size_;
      for (size_t number_at = sizeof(RevokeHeader); number_at + 4 <= end; number_at += 4) {
        BigEndian32 number;
        __builtin_memcpy(&number, block + number_at, sizeof number);
        TRY(on_revoke(sequence, uint32_t{number}));
      }
    } else {
      break;
    }
  }
  return sequence;
}

Result<void> Journal::replay() {
  const uint32_t from = superblock_.sequence;
  const auto no_block = [](uint32_t, uint32_t, uint32_t, bool) { return Result<void>(); };
  const auto no_revoke = [](uint32_t, uint32_t) { return Result<void>(); };
  const uint32_t end = TRY(scan(from - 1, no_block, no_revoke));

  uint32_t revoke_count = 0, filled = 0;
  TRY(scan(end, no_block, [&](uint32_t, uint32_t) {
    ++revoke_count;
    return Result<void>();
  }));
  HeapMemory memory{heap_allocate(revoke_count * sizeof(Revoked) + 1)};
  auto* revoked = static_cast<Revoked*>(memory.pointer);
  if (revoked == nullptr) return Error::NoMemory;
  TRY(scan(end, no_block, [&](uint32_t sequence, uint32_t block) {
    revoked[filled++] = {block, sequence - from};
    return Result<void>();
  }));
  std::sort(revoked, revoked + filled, [](const Revoked& left, const Revoked& right) {
    return left.block != right.block ? left.block < right.block : left.sequence > right.sequence;
  });

  HeapMemory page{heap_allocate(block_size_)};
  auto* bytes = static_cast<uint8_t*>(page.pointer);
  if (bytes == nullptr) return Error::NoMemory;
  uint32_t written = 0;
  TRY(scan(
      end,
      [&](uint32_t sequence, uint32_t block, uint32_t place, bool escaped) -> Result<void> {
        // The newest revoke of a block stands first: it is worth for its own transaction and all before.
        const Revoked* found =
            std::lower_bound(revoked, revoked + filled, block,
                             [](const Revoked& entry, uint32_t wanted) { return entry.block < wanted; });
        if (found != revoked + filled && found->block == block && found->sequence >= sequence - from) return {};
        if (block >= volume_blocks_) {
          log(LogLevel::Warning,
              "ext3: journal: block number %u is outside of the file system: run e2fsck on the image", block);
          return Error::Io;
        }
        TRY(disk_.read(offset_of(place), {bytes, block_size_}));
        const BigEndian32 magic = kJournalMagic;
        if (escaped) __builtin_memcpy(bytes, &magic, sizeof magic);
        ++written;
        return disk_.write(uint64_t{block} * block_size_, {bytes, block_size_}, DiskWait::Poll);
      },
      no_revoke));
  TRY(disk_.flush(DiskWait::Poll));
  next_sequence_ = end + 1;
  committed_sequence_ = end;
  TRY(write_superblock(0, next_sequence_, DiskWait::Poll));
  TRY(disk_.flush(DiskWait::Poll));
  log(LogLevel::Info, "ext3: %u transactions of the journal replayed (%u blocks)", end - from, written);
  return {};
}

}  // namespace kernel::ext2
