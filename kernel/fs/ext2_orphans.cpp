// Files that are to be deleted or truncated and are not yet: a list on the disk that starts in the superblock and goes
// on in the inodes' deletion times, so that the next mount ends what a power cut interrupted.
#include "kernel/fs/disk_writer.h"
#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"

namespace kernel::ext2 {
namespace {

constexpr uint32_t kAttributeMagic = 0xEA020000;

}  // namespace

Result<void> Volume::add_orphan(Ext2Inode& inode) {
  if (inode.is_orphan_) return {};
  Superblock* superblock = TRY(modify_superblock());
  inode.disk_.deletion_time = superblock->last_orphan;
  superblock->last_orphan = inode.number();
  inode.is_orphan_ = true;
  inode.next_orphan_ = orphans_;
  orphans_ = &inode;
  return inode.store();
}

Result<void> Volume::remove_orphan(Ext2Inode& inode) {
  if (!inode.is_orphan_) return {};
  const uint32_t next = inode.next_orphan_ != nullptr ? inode.next_orphan_->number() : 0;
  Ext2Inode* before = nullptr;
  for (Ext2Inode* at = orphans_; at != &inode; at = at->next_orphan_) before = at;
  if (before == nullptr) {
    TRY(modify_superblock())->last_orphan = next;
    orphans_ = inode.next_orphan_;
  } else {
    before->disk_.deletion_time = next;
    before->next_orphan_ = inode.next_orphan_;
    TRY(before->store());
  }
  inode.is_orphan_ = false;
  inode.next_orphan_ = nullptr;
  inode.disk_.deletion_time = 0;
  return inode.store();
}

Result<void> Volume::delete_inode(Ext2Inode& inode, Room room) {
  pages_.drop_from(inode, 0);
  TRY(inode.free_blocks_from(0, room));
  TRY(begin(2 * kFreeStepBlocks, room));
  if (const uint32_t block = inode.disk_.attribute_block; block != 0) {
    struct Header {
      uint32_t magic, users;
    };
    auto bytes = TRY(view(block));
    Header header;
    __builtin_memcpy(&header, bytes.data(), sizeof header);
    if (header.magic == kAttributeMagic && header.users > 1) {
      --header.users;
      __builtin_memcpy(TRY(modify(block)).data(), &header, sizeof header);
    } else {
      TRY(inode.free_run(block, 1, true));
    }
    inode.disk_.attribute_block = 0;
  }
  inode.set_size(0);
  TRY(remove_orphan(inode));
  return free_inode(inode);
}

void Volume::evict(Ext2Inode& inode) {
  if (inode.in_evict_list_ || !inode.in_use_ || inode.links() > 0 || inode.open_count_ > 0) return;
  auto deleted = delete_inode(inode, is_writer() ? Room::Wait : Room::Now);
  if (!deleted.is_error() || !writable_) return;
  // There is much to free: the writer goes on with it.
  inode.in_evict_list_ = true;
  inode.next_to_evict_ = to_evict_;
  to_evict_ = &inode;
  (void)wake_writer_later(*this).is_error();
}

void Volume::evict_pending() {
  Ext2Inode* inode = to_evict_;
  to_evict_ = nullptr;
  while (inode != nullptr) {
    Ext2Inode* next = inode->next_to_evict_;
    inode->in_evict_list_ = false;
    evict(*inode);
    inode = next;
  }
}

void Volume::mount_orphans() {
  const auto bytes = journal_.view(0);
  if (bytes.is_error()) return;
  uint32_t number = reinterpret_cast<const Superblock*>(
                        const_cast<Result<std::span<const uint8_t>>&>(bytes).value().data() + kSuperblockOffset)
                        ->last_orphan;
  uint32_t deleted = 0, truncated = 0;
  Ext2Inode** link = &orphans_;
  for (uint32_t seen = 0; number != 0; ++seen) {
    auto inode = find_inode(number, true);
    if (inode.is_error() || inode.value()->is_orphan_ || seen > inode_count_) {
      log(LogLevel::Warning, "ext3: the list of orphans is damaged at inode %u: run e2fsck on the image", number);
      writable_ = false;
      return;
    }
    inode.value()->is_orphan_ = true;
    *link = inode.value();
    link = &inode.value()->next_orphan_;
    number = inode.value()->disk_.deletion_time;
  }
  while (orphans_ != nullptr) {
    Ext2Inode& inode = *orphans_;
    const bool is_deleted = inode.links() == 0;
    auto ended = is_deleted ? delete_inode(inode, Room::Wait) : inode.resize(inode.size());
    if (!ended.is_error() && inode.is_orphan_)
      ended = begin(kFreeStepBlocks).is_error() ? Error::Io : remove_orphan(inode);
    if (ended.is_error() || orphans_ == &inode) {
      log(LogLevel::Warning, "ext3: orphan inode %u cannot be ended: run e2fsck on the image", inode.number());
      writable_ = false;
      return;
    }
    ++(is_deleted ? deleted : truncated);
  }
  log(LogLevel::Info, "ext3: %u orphaned files deleted, %u truncated", deleted, truncated);
}

}  // namespace kernel::ext2
