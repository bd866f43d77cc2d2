#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/physical.h"
#include "kernel/memory/pressure.h"
#include "kernel/memory/reclaim.h"
#include "kernel/task/file_mappings.h"

namespace kernel {
namespace {

ext2::Volume* g_volume = nullptr;  // the one that is mounted

size_t give_back(size_t wanted) {
  return g_volume->pages().reclaim(wanted);
}

size_t take_mapped(size_t wanted, MemoryRelief::Take take) {
  return g_volume->pages().reclaim_mapped(wanted, take, [](const CachedFile& file, uint64_t index) {
    return unmap_unused_file_page(static_cast<const ext2::Ext2Inode&>(file), index);
  });
}

bool write_changed() {
  return g_volume->pages().dirty_count() > 0 && !g_volume->sync(nullptr, SyncKind::Content).is_error();
}

}  // namespace

Result<Inode*> mount_ext2(BlockDevice& device, uint64_t offset, uint64_t length) {
  // A 64th of memory for the cache of the disk: 4 MiB of 256. Pages of files give way when memory is short.
  auto* volume =
      TRY(make<ext2::Volume>(device, offset, length, ram_page_count() / 64 * kPageSize, ram_page_count() / 2));
  auto mounted = volume->mount();
  if (mounted.is_error()) {
    destroy(volume);
    return mounted.error();
  }
  g_volume = volume;
  static bool is_registered = false;
  if (!is_registered) {
    register_reclaimer(give_back);
    set_memory_relief({take_mapped, write_changed});
  }
  is_registered = true;
  return volume->inode(ext2::kRootInode);
}

Result<void> sync_root() {
  return g_volume != nullptr ? g_volume->sync(nullptr, SyncKind::Everything) : Result<void>();
}

void unmount_root() {
  if (g_volume != nullptr) g_volume->unmount();
}

void resume_root() {
  if (g_volume == nullptr) return;
  const size_t forgotten = g_volume->pages().forget_lost();
  log(LogLevel::Info, "ext3: %zu pages of files are not in the dump", forgotten);
  g_volume->look_at_disk_again();
}

CachedPages cached_pages() {
  return g_volume != nullptr ? CachedPages{g_volume->pages().page_count(), g_volume->pages().dirty_count()}
                             : CachedPages{0, 0};
}

namespace ext2 {
namespace {

// Names of feature_incompatible's bits, for the log line that says why a disk is refused.
struct FeatureName {
  uint32_t bit;
  const char* name;
};
constexpr FeatureName kFeatureNames[] = {
    {0x1, "compression"},  {0x8, "journal_dev"},
    {0x10, "meta_bg"},     {0x40, "extents"},
    {0x80, "64bit"},       {0x100, "mmp"},
    {0x200, "flex_bg"},    {0x400, "ea_inode"},
    {0x1000, "dirdata"},   {0x2000, "metadata_csum_seed"},
    {0x4000, "large_dir"}, {0x8000, "inline_data"},
    {0x10000, "encrypt"},  {0x20000, "casefold"},
};

Error refuse(const char* what) {
  log(LogLevel::Warning, "ext2: superblock: %s", what);
  return Error::Io;
}

}  // namespace

Volume::~Volume() {
  for (Ext2Inode* bucket : buckets_)
    while (bucket != nullptr) {
      Ext2Inode* inode = bucket;
      bucket = inode->next_in_bucket;
      pages_.drop_from(*inode, 0);
      destroy(inode);
    }
  for (uint32_t group = 0; groups_ != nullptr && group < group_count_; ++group) {
    heap_free(groups_[group].freed);
    heap_free(groups_[group].freed_before);
  }
  heap_free(groups_);
}

Result<void> Volume::mount() {
  Superblock superblock;
  const std::span<uint8_t> bytes{reinterpret_cast<uint8_t*>(&superblock), sizeof superblock};
  TRY(cache_.read(kSuperblockOffset, bytes));
  TRY(check(superblock));
  if (superblock.revision == 0 || (superblock.feature_compatible & kHasJournal) == 0) return {};
  const bool needs_recovery = (superblock.feature_incompatible & kNeedsRecovery) != 0;
  if (auto opened = open_journal(superblock); opened.is_error()) {
    if (needs_recovery) return opened;
    log(LogLevel::Warning, "ext3: mounted read-only: its journal cannot be used");
    return {};
  }
  if (needs_recovery) {
    if (cache_.is_read_only()) {
      log(LogLevel::Warning,
          "ext3: the journal has to be replayed, and the disk is read-only: run e2fsck on the image");
      return Error::NotSupported;
    }
    if (journal_.needs_replay()) TRY(journal_.replay());
    TRY(write_recovery_flag(false, DiskWait::Poll));
    TRY(cache_.read(kSuperblockOffset, bytes));
    superblock.feature_incompatible &= ~kNeedsRecovery;
    TRY(check(superblock));
  }
  return prepare_for_changes(superblock);
}

void Volume::look_at_disk_again() {
  if (!writable_) return;
  auto same = journal_.is_as_left();
  if (same.is_error())
    (void)stop_changes("its journal cannot be read: no disk, or another one", same.error());
  else if (!same.value())
    (void)stop_changes("the disk has been used since the dump, what is read from it may not fit", Error::ReadOnly);
}

Result<void> Volume::open_journal(const Superblock& superblock) {
  if (superblock.journal_inode == 0) {
    log(LogLevel::Warning, "ext3: the journal is on another disk: use mke2fs -J size=4");
    return Error::NotSupported;
  }
  auto made = make<Ext2Inode>(*this, superblock.journal_inode);
  Ext2Inode* inode = TRY(made);
  struct Free {
    Ext2Inode* inode;
    ~Free() { destroy(inode); }
  } free{inode};
  inode->load(TRY(inode_bytes(superblock.journal_inode)));
  TRY(inode->check());
  const uint64_t count = inode->size() / block_size_;
  constexpr uint64_t kMostBlocks = 1 << 20;
  if (!inode->is_regular() || count < 2 || count > kMostBlocks) return refuse("impossible size of the journal");
  auto* blocks = static_cast<uint32_t*>(heap_allocate(count * sizeof(uint32_t)));
  if (blocks == nullptr) return Error::NoMemory;
  for (uint64_t index = 0; index < count;) {
    auto run = inode->map(index, static_cast<uint32_t>(count - index));
    if (run.is_error() || run.value().block == 0) {
      heap_free(blocks);
      return run.is_error() ? run.error() : refuse("hole in the journal");
    }
    for (uint32_t at = 0; at < run.value().count; ++at) blocks[index++] = run.value().block + at;
  }
  return journal_.open(blocks, static_cast<uint32_t>(count), block_size_, block_count_);
}

// What keeps a file system from being changed is no error: it is mounted read-only, and the log says why.
Result<void> Volume::prepare_for_changes(const Superblock& superblock) {
  const auto read_only = [](const char* why) {
    log(LogLevel::Info, "ext3: mounted read-only: %s", why);
    return Result<void>();
  };
  constexpr uint32_t kKnown = kSparseSuper | kLargeFile | kExtraInodeSize;
  if (cache_.is_read_only()) return read_only("the disk is");
  if (const uint32_t unknown = superblock.feature_read_only & ~kKnown; unknown != 0) {
    log(LogLevel::Info, "ext3: read-only feature bits %x are not known: use mke2fs -t ext3", unknown);
    return read_only("it has features that cannot be written");
  }
  if (block_size_ != kPageSize) return read_only("its blocks are not of 4096 bytes");
  if ((superblock.state & kStateErrors) != 0) return read_only("it has errors: run e2fsck on the image");
  if (!journal_.can_take(2 * kNameBlocks)) return read_only("its journal is too small");
  groups_ = static_cast<Group*>(heap_allocate(group_count_ * sizeof(Group)));
  if (groups_ == nullptr) return Error::NoMemory;
  first_inode_ = superblock.first_inode;
  if (first_inode_ < 11 || first_inode_ > inode_count_) first_inode_ = 11;
  blocks_per_group_ = superblock.blocks_per_group;
  generation_ = static_cast<uint32_t>(monotonic_ns()) ^ superblock.write_time;
  has_large_files_ = (superblock.feature_read_only & kLargeFile) != 0;
  writable_ = true;
  if (superblock.last_orphan != 0) mount_orphans();
  return {};
}

FileSystemFacts Volume::facts() {
  FileSystemFacts facts{.block_size = block_size_,
                        .blocks = block_count_,
                        .free_blocks = 0,
                        .inodes = inode_count_,
                        .free_inodes = 0,
                        .read_only = !writable_};
  uint32_t overhead = first_data_block_;
  for (uint32_t index = 0; index < group_count_; ++index) {
    auto descriptor = group(index);
    if (descriptor.is_error()) break;
    facts.free_blocks += descriptor.value().free_blocks;
    facts.free_inodes += descriptor.value().free_inodes;
    overhead += 2 + (inodes_per_group_ * inode_size_ + block_size_ - 1) / block_size_;
  }
  facts.blocks -= overhead < block_count_ ? overhead : block_count_;
  return facts;
}

Result<void> Volume::check(const Superblock& superblock) {
  if (superblock.magic != kMagic) {
    log(LogLevel::Warning, "ext2: no file system here (magic number %04x, not ef53)", superblock.magic);
    return Error::Invalid;
  }
  if (superblock.revision > 1) {
    log(LogLevel::Warning, "ext2: revision %u is not known", superblock.revision);
    return Error::NotSupported;
  }
  const uint32_t features = superblock.revision == 0 ? 0 : superblock.feature_incompatible;
  if ((features & kNeedsRecovery) != 0 && (superblock.feature_compatible & kHasJournal) == 0)
    return refuse("its journal has to be replayed, and it has none");
  if (const uint32_t unknown = features & ~(kFileType | kNeedsRecovery); unknown != 0) {
    const uint32_t bit = unknown & -unknown;
    const char* name = "unknown";
    for (const FeatureName& feature : kFeatureNames)
      if (feature.bit == bit) name = feature.name;
    log(LogLevel::Warning,
        "ext2: feature %s (incompatible feature bits %x) is not supported: use mke2fs -t ext2 or ext3", name, unknown);
    return Error::NotSupported;
  }
  if (superblock.log_block_size > 2) {
    log(LogLevel::Warning, "ext2: block size 1024 << %u is not supported: use mke2fs -b 1024, 2048 or 4096",
        superblock.log_block_size);
    return Error::NotSupported;
  }
  block_size_ = 1024u << superblock.log_block_size;
  inode_size_ = superblock.revision == 0 ? sizeof(DiskInode) : superblock.inode_size;
  if (inode_size_ < sizeof(DiskInode) || inode_size_ > block_size_ || (inode_size_ & (inode_size_ - 1)) != 0)
    return refuse("impossible inode size");
  first_data_block_ = superblock.first_data_block;
  if (first_data_block_ != (block_size_ == 1024 ? 1 : 0)) return refuse("impossible first data block");
  if (superblock.blocks_per_group == 0 || superblock.blocks_per_group > block_size_ * 8)
    return refuse("impossible number of blocks per group");
  inodes_per_group_ = superblock.inodes_per_group;
  if (inodes_per_group_ == 0 || inodes_per_group_ > block_size_ * 8)
    return refuse("impossible number of inodes per group");
  block_count_ = superblock.block_count;
  if (block_count_ <= first_data_block_ + 1) return refuse("no blocks");
  if (bytes() > cache_.length()) {
    log(LogLevel::Warning, "ext2: the file system has %lu bytes, its partition only %lu: the image is truncated",
        static_cast<unsigned long>(bytes()), static_cast<unsigned long>(cache_.length()));
    return Error::Io;
  }
  group_count_ = (block_count_ - first_data_block_ - 1) / superblock.blocks_per_group + 1;
  inode_count_ = superblock.inode_count;
  if (inode_count_ < kRootInode || inode_count_ > uint64_t{group_count_} * inodes_per_group_)
    return refuse("impossible number of inodes");
  has_file_types_ = (features & kFileType) != 0;
  return {};
}

Result<uint64_t> Volume::block_offset(uint32_t block) const {
  if (block <= first_data_block_ || block >= block_count_) {
    log(LogLevel::Warning, "ext2: block number %u is outside of the file system (%u blocks)", block, block_count_);
    return Error::Io;
  }
  return uint64_t{block} * block_size_;
}

Result<std::span<const uint8_t>> Volume::view(uint32_t block) {
  const uint64_t offset = TRY(block_offset(block));
  return groups_ != nullptr ? journal_.view(block) : cache_.view(offset, block_size_);
}

Result<std::span<const uint32_t>> Volume::pointers(uint32_t block) {
  const auto bytes = TRY(view(block));
  return std::span<const uint32_t>{reinterpret_cast<const uint32_t*>(bytes.data()), block_size_ / 4};
}

// The descriptors stand in the blocks behind the superblock's.
uint32_t Volume::descriptor_block(uint32_t group) const {
  return first_data_block_ + 1 + group / static_cast<uint32_t>(block_size_ / sizeof(GroupDescriptor));
}

Result<GroupDescriptor> Volume::group(uint32_t group) {
  const auto bytes = TRY(view(descriptor_block(group)));
  GroupDescriptor descriptor;
  const size_t each = block_size_ / sizeof descriptor;
  __builtin_memcpy(&descriptor, bytes.data() + group % each * sizeof descriptor, sizeof descriptor);
  return descriptor;
}

Result<Volume::InodePlace> Volume::inode_place(uint32_t number) {
  if (number == 0 || number > inode_count_) {
    log(LogLevel::Warning, "ext2: inode number %u is outside of the file system (%u inodes)", number, inode_count_);
    return Error::Io;
  }
  const uint32_t of_group = (number - 1) / inodes_per_group_, index = (number - 1) % inodes_per_group_;
  const uint32_t table = TRY(group(of_group)).inode_table;
  const uint64_t offset = TRY(block_offset(table)) + uint64_t{index} * inode_size_;
  if (offset + inode_size_ > bytes()) {
    log(LogLevel::Warning, "ext2: the inode table of group %u leads outside of the file system", of_group);
    return Error::Io;
  }
  return InodePlace{static_cast<uint32_t>(offset / block_size_), static_cast<uint32_t>(offset % block_size_)};
}

Result<std::span<const uint8_t>> Volume::inode_bytes(uint32_t number) {
  const InodePlace place = TRY(inode_place(number));
  return TRY(view(place.block)).subspan(place.offset, inode_size_);
}

Result<Ext2Inode*> Volume::find_inode(uint32_t number, bool deleted_too) {
  Ext2Inode*& bucket = buckets_[number % kBuckets];
  Ext2Inode* inode = bucket;
  while (inode != nullptr && inode->number() != number) inode = inode->next_in_bucket;
  if (inode != nullptr && inode->in_use_) {
    if (inode->links() == 0 && !deleted_too) return inode->damaged("deleted, but a directory names it");
    return inode;
  }
  const auto bytes = TRY(inode_bytes(number));
  if (inode == nullptr) {
    inode = TRY(make<Ext2Inode>(*this, number));
    inode->next_in_bucket = bucket;
    bucket = inode;
  }
  inode->load(bytes);
  if (!deleted_too || inode->links() > 0) TRY(inode->check());
  inode->in_use_ = true;
  return inode;
}

Result<Inode*> Volume::inode(uint32_t number) {
  return static_cast<Inode*>(TRY(find_inode(number, false)));
}

}  // namespace ext2
}  // namespace kernel
