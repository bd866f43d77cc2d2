// The JBD2 journal of metadata blocks, and those blocks in memory while they differ from their places on the disk.
//
// What changes between two commits is one running transaction: its blocks reach the log together or not at all. Nothing
// in here waits but what is marked as the writer's (disk_writer.h): on one CPU each change of the file system is one
// step for everybody else. A block's life: modify() copies it from the disk into a buffer of the running transaction;
// close_transaction() makes the buffer the committed image, which write_transaction() copies to the log; a later
// modify() works on a copy of it; checkpoint() brings committed images home and empties the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/fs/block_cache.h"
#include "kernel/fs/journal_format.h"
#include "kernel/library/result.h"

namespace kernel::ext2 {

class Journal {
 public:
  Journal(BlockCache& disk) : disk_(disk) {}
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // `blocks`: the journal's blocks on the disk, an array of the heap that is taken over. Reads and checks the
  // superblock; each failure is logged. `volume_blocks`: no block of the log's has this number or a higher one.
  Result<void> open(uint32_t* blocks, uint32_t count, uint32_t block_size, uint32_t volume_blocks);
  bool needs_replay() const { return start_ != 0; }
  // The complete transactions of the log go to their places, and the log is empty.
  Result<void> replay();

  // The superblock on the disk is the one that was read or written last.
  Result<bool> is_as_left();

  // --- Blocks. Views and spans stay until the next thread switch.
  Result<std::span<const uint8_t>> view(uint32_t block);
  Result<std::span<uint8_t>> modify(uint32_t block);  // joins the running transaction
  Result<std::span<uint8_t>> create(uint32_t block);  // the same for one whose old content does not matter: zeros
  // The block is free, or holds data from now on: what the log has of it must not be replayed.
  void forget(uint32_t block);

  // --- The running transaction.
  bool can_take(uint32_t blocks) const { return log_blocks_for(blocks, blocks) <= transaction_limit_; }
  bool has_room(uint32_t blocks) const;
  // The next `blocks` calls of modify, create and forget find memory.
  Result<void> reserve(uint32_t blocks);
  uint32_t running_sequence() const { return next_sequence_; }
  bool is_committed(uint32_t sequence) const { return int32_t(committed_sequence_ - sequence) >= 0; }
  bool is_running_empty() const { return running_count_ == 0 && running_revoke_count_ == 0; }

  // --- The writer's.
  bool is_started() const { return started_; }
  Result<void> start(DiskWait wait);  // the log is in use: a mount has to look at it
  bool has_log_space() const;         // for the running transaction
  void close_transaction();           // it is the committing one; a new one runs
  Result<void> write_transaction(DiskWait wait);
  Result<void> checkpoint(DiskWait wait);
  Result<void> finish(DiskWait wait);  // after a checkpoint: nothing to replay

 private:
  struct Buffer {
    uint32_t block;
    uint32_t running_index;
    bool in_running, forgotten;
    uint8_t* bytes;      // what is true now
    uint8_t* committed;  // of the last closed transaction, not home yet; may be `bytes`; null: home
    Buffer* next;        // in its bucket, or among the spare ones
  };
  struct SparePage {
    SparePage* next;
  };
  struct Revoked {
    uint32_t block, sequence;
  };
  static constexpr size_t kBuckets = 512;
  static constexpr size_t kStagingBlocks = 16;

  Buffer* find(uint32_t block) const;
  Result<Buffer*> add(uint32_t block);
  void drop(Buffer& buffer);
  Result<uint8_t*> take_page();
  void give_page(uint8_t* page);
  Result<std::span<uint8_t>> join(Buffer& buffer);
  uint32_t log_blocks_for(uint32_t blocks, uint32_t revokes) const;
  Result<uint8_t*> append_to_log(DiskWait wait);
  Result<uint8_t*> append(uint32_t block, DiskWait wait);
  Result<void> flush_staging(DiskWait wait);
  Result<void> write_blocks_to_log(uint32_t sequence, DiskWait wait);
  Result<void> write_revokes_to_log(uint32_t sequence, DiskWait wait);
  Result<void> write_superblock(uint32_t start, uint32_t sequence, DiskWait wait);

  // Replay (journal_replay.cpp).
  template <typename OnBlock, typename OnRevoke>
  Result<uint32_t> scan(uint32_t last, OnBlock on_block, OnRevoke on_revoke);
  uint32_t next_in_log(uint32_t at) const { return at + 1 == block_count_ ? first_ : at + 1; }
  uint64_t offset_of(uint32_t log_block) const { return uint64_t{blocks_[log_block]} * block_size_; }

  BlockCache& disk_;
  uint32_t* blocks_ = nullptr;
  uint32_t block_count_ = 0, first_ = 0, block_size_ = 0, volume_blocks_ = 0;
  JournalSuperblock superblock_{};
  uint32_t start_ = 0;  // as the superblock on the disk says
  bool started_ = false;

  uint32_t head_ = 0;  // block of the log that is written next
  uint32_t used_ = 0;  // blocks of the log before it that are still needed
  uint32_t next_sequence_ = 1, committed_sequence_ = 0;
  uint32_t transaction_limit_ = 0;  // blocks

  Buffer* buckets_[kBuckets] = {};
  size_t buffer_count_ = 0;
  Buffer **running_ = nullptr, **committing_ = nullptr;
  uint32_t running_count_ = 0, committing_count_ = 0;
  uint32_t *running_revokes_ = nullptr, *committing_revokes_ = nullptr;
  uint32_t running_revoke_count_ = 0, committing_revoke_count_ = 0, revoke_capacity_ = 0;

  Buffer* spare_buffers_ = nullptr;
  SparePage* spare_pages_ = nullptr;
  uint32_t spare_buffer_count_ = 0, spare_page_count_ = 0;
  uint8_t* staging_ = nullptr;  // kStagingBlocks pages
  uint32_t staged_first_ = 0, staged_count_ = 0;
};

}  // namespace kernel::ext2
