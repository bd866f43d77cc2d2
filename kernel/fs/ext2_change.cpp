// Changes of the file system: their beginning, the blocks they change, and how they get to the disk.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/fs/disk_writer.h"
#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"
#include "kernel/task/file_mappings.h"

namespace kernel::ext2 {
namespace {

constexpr size_t kPagesAtOnce = 64;
constexpr uint64_t kOldDataNs = 5'000'000'000;  // content that was written so long ago goes to the disk

}  // namespace

Error Volume::stop_changes(const char* why, Error error) {
  if (!stopped_)
    log(LogLevel::Warning, "ext3: %s (error %d): the file system takes no more changes; the disk has the last commit",
        why, static_cast<int>(error));
  stopped_ = true;
  writable_ = false;
  return error;
}

Result<void> Volume::begin(uint32_t blocks, Room room) {
  while (true) {
    if (stopped_ || !writable_) return Error::ReadOnly;
    if (journal_.has_room(blocks)) break;
    if (room == Room::Now) return Error::Again;
    if (is_writer())
      TRY(commit(writer_wait()));
    else
      TRY(ask_writer(*this, nullptr, SyncKind::ContentAndSize));
  }
  TRY(journal_.reserve(blocks));
  return wake_writer_later(*this);
}

Result<std::span<uint8_t>> Volume::modify(uint32_t block) {
  TRY(block_offset(block));
  auto bytes = journal_.modify(block);
  if (bytes.is_error()) return stop_changes("a block of metadata cannot be changed", bytes.error());
  return bytes;
}

Result<std::span<uint8_t>> Volume::create(uint32_t block) {
  auto bytes = journal_.create(block);
  if (bytes.is_error()) return stop_changes("a block of metadata cannot be made", bytes.error());
  return bytes;
}

Result<std::span<uint8_t>> Volume::modify_inode(uint32_t number) {
  const InodePlace place = TRY(inode_place(number));
  return TRY(modify(place.block)).subspan(place.offset, inode_size_);
}

Result<Superblock*> Volume::modify_superblock() {
  // It stands in block 0, which block_offset() gives to nobody.
  auto bytes = journal_.modify(0);
  if (bytes.is_error()) return stop_changes("the superblock cannot be changed", bytes.error());
  return reinterpret_cast<Superblock*>(bytes.value().data() + kSuperblockOffset);
}

Result<GroupDescriptor*> Volume::modify_group(uint32_t group) {
  auto bytes = journal_.modify(descriptor_block(group));
  if (bytes.is_error()) return stop_changes("a group descriptor cannot be changed", bytes.error());
  const size_t each = block_size_ / sizeof(GroupDescriptor);
  return reinterpret_cast<GroupDescriptor*>(bytes.value().data()) + group % each;
}

Result<void> Volume::sync(Ext2Inode* inode, SyncKind kind) {
  if (stopped_) return Error::Io;
  if (!writable_) return {};
  return is_writer() ? do_sync(inode, kind, writer_wait()) : ask_writer(*this, inode, kind);
}

bool Volume::wait_for_freed_blocks() {
  if (!has_freed_ && !has_freed_before_ && to_evict_ == nullptr) return false;
  if (to_evict_ != nullptr && is_writer()) evict_pending();
  return !sync(nullptr, SyncKind::ContentAndSize).is_error();
}

void Volume::unmount() {
  if (!writable_) return;
  if (is_writer())
    (void)do_unmount(writer_wait()).is_error();
  else
    ask_writer_to_unmount(*this);
}

void Volume::note_dirty(Ext2Inode& inode) {
  if (inode.in_dirty_list_) return;
  inode.in_dirty_list_ = true;
  inode.dirty_since_ns_ = monotonic_ns();
  inode.next_dirty_ = dirty_;
  dirty_ = &inode;
}

bool Volume::has_something_to_write() const {
  return dirty_ != nullptr || to_evict_ != nullptr || !journal_.is_running_empty();
}

Result<void> Volume::write_back(Ext2Inode& inode, DiskWait wait) {
  CachedPage* taken[kPagesAtOnce];
  uint8_t* bytes[kPagesAtOnce];
  Result<void> result;
  // Pages may be written again and again: what was there at the start is enough.
  for (size_t rounds = pages_.page_count() / kPagesAtOnce + 2; rounds > 0; --rounds) {
    const size_t count = pages_.take_for_writing(inode, taken);
    if (count == 0) break;
    for (size_t first = 0, end; first < count; first = end) {
      end = first + 1;
      auto run = inode.map(taken[first]->index, static_cast<uint32_t>(count - first));
      if (run.is_error() || run.value().block == 0) {
        // (A page without a block is one for which none was left.)
        if (run.is_error()) result = run.error();
        continue;
      }
      while (end < count && end - first < run.value().count && taken[end]->index == taken[end - 1]->index + 1) ++end;
      // What a mapping changes from here on makes the page dirty again.
      write_protect_file_pages(inode, taken[first]->index, taken[end - 1]->index + 1);
      inode.zero_behind_end();
      for (size_t at = first; at < end; ++at) bytes[at - first] = taken[at]->bytes();
      auto written = cache_.write_pages(uint64_t{run.value().block} * block_size_, {bytes, end - first}, wait);
      if (written.is_error()) result = written.error();
    }
    for (size_t at = 0; at < count; ++at) pages_.written(*taken[at]);
  }
  if (result.is_error()) {
    log(LogLevel::Warning, "ext3: inode %u: content could not be written (error %d)", inode.number(),
        static_cast<int>(result.error()));
    inode.write_failed_ = true;
  }
  if (!inode.has_pages_to_write()) inode.ordered_ = false;
  return result;
}

Result<void> Volume::write_ordered(DiskWait wait) {
  // While one file is written, others may join or leave the list: it is walked again until none is left.
  for (int rounds = 0; rounds < 1000; ++rounds) {
    Ext2Inode* inode = dirty_;
    while (inode != nullptr && !inode->ordered_) inode = inode->next_dirty_;
    if (inode == nullptr) return {};
    inode->ordered_ = false;
    TRY(write_back(*inode, wait));
  }
  return {};
}

void Volume::write_old_data(DiskWait wait) {
  const uint64_t now = monotonic_ns();
  const bool all = pages_.has_too_many_dirty();
  // Those that are younger, or have pages that stay mapped, go back into the list.
  Ext2Inode* inode = dirty_;
  dirty_ = nullptr;
  while (inode != nullptr) {
    Ext2Inode* next = inode->next_dirty_;
    inode->in_dirty_list_ = false;
    const uint64_t since = inode->dirty_since_ns_;
    const bool is_old = all || now - since >= kOldDataNs;
    if (is_old) (void)write_back(*inode, wait).is_error();
    if (inode->has_pages_to_write() || inode->ordered_) {
      note_dirty(*inode);
      if (!is_old) inode->dirty_since_ns_ = since;
    }
    inode = next;
  }
}

Result<void> Volume::commit(DiskWait wait) {
  if (stopped_) return Error::ReadOnly;
  TRY(write_ordered(wait));
  if (journal_.is_running_empty()) return {};
  const auto write_all = [&]() -> Result<void> {
    if (!journal_.is_started()) TRY(start_log(wait));
    if (!journal_.has_log_space()) TRY(journal_.checkpoint(wait));
    // In one step: no block that is given out in this transaction can be left without its content.
    TRY(write_ordered(DiskWait::Poll));
    journal_.close_transaction();
    close_freed();
    return journal_.write_transaction(wait);
  };
  auto written = write_all();
  if (written.is_error()) return stop_changes("the journal cannot be written", written.error());
  release_freed();
  return {};
}

Result<void> Volume::do_sync(Ext2Inode* inode, SyncKind kind, DiskWait wait) {
  Result<void> result;
  if (inode != nullptr) {
    result = write_back(*inode, wait);
  } else if (kind != SyncKind::ContentAndSize) {
    for (int rounds = 0; rounds < 1000; ++rounds) {
      Ext2Inode* dirty = dirty_;
      while (dirty != nullptr && !dirty->has_pages_to_write()) dirty = dirty->next_dirty_;
      if (dirty == nullptr) break;
      if (write_back(*dirty, wait).is_error()) result = Error::Io;
    }
  }
  if (inode != nullptr && inode->write_failed_) {
    inode->write_failed_ = false;
    result = Error::Io;
  }
  if (kind == SyncKind::Content) return result;
  bool needs_commit = inode == nullptr;
  if (inode != nullptr) {
    needs_commit = inode->was_sized_ && !journal_.is_committed(inode->sized_sequence_);
    if (kind == SyncKind::Everything)
      needs_commit |= inode->was_changed_ && !journal_.is_committed(inode->changed_sequence_);
  }
  if (needs_commit && !journal_.is_running_empty())
    TRY(commit(wait));
  else
    TRY(cache_.flush(wait));
  return result;
}

Result<void> Volume::write_recovery_flag(bool on, DiskWait wait) {
  uint8_t bytes[1024];
  TRY(cache_.read(kSuperblockOffset, bytes));
  auto* superblock = reinterpret_cast<Superblock*>(bytes);
  superblock->feature_incompatible =
      on ? superblock->feature_incompatible | kNeedsRecovery : superblock->feature_incompatible & ~kNeedsRecovery;
  superblock->write_time = static_cast<uint32_t>(wall_clock_ns() / 1'000'000'000);
  TRY(cache_.write(kSuperblockOffset, bytes, wait));
  return cache_.flush(wait);
}

// The flag first: with it a log that says nothing is an empty one, but e2fsck takes no log without the flag.
Result<void> Volume::start_log(DiskWait wait) {
  TRY(write_recovery_flag(true, wait));
  TRY(journal_.start(wait));
  TRY(cache_.flush(wait));
  // The superblock of the running transaction must not take the flag away when it comes home.
  TRY(modify_superblock())->feature_incompatible |= kNeedsRecovery;
  return {};
}

Result<void> Volume::do_unmount(DiskWait wait) {
  evict_pending();
  writable_ = false;  // nothing begins any more
  TRY(do_sync(nullptr, SyncKind::Everything, wait));
  TRY(commit(wait));
  if (!journal_.is_started()) return {};
  TRY(journal_.checkpoint(wait));
  TRY(journal_.finish(wait));
  return write_recovery_flag(false, wait);
}

}  // namespace kernel::ext2
