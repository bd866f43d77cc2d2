#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/physical.h"

namespace kernel {

Result<Inode*> mount_ext2(BlockDevice& device, uint64_t offset, uint64_t length) {
  // A 64th of memory for the cache: 4 MiB of 256.
  const size_t chunks = ram_page_count() / 64 * kPageSize / BlockCache::kChunkSize;
  auto* volume = TRY(make<ext2::Volume>(device, offset, length, chunks));
  auto mounted = volume->mount();
  if (mounted.is_error()) {
    destroy(volume);
    return mounted.error();
  }
  return volume->inode(ext2::kRootInode);
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

Result<void> Volume::mount() {
  Superblock superblock;
  TRY(cache_.read(kSuperblockOffset, {reinterpret_cast<uint8_t*>(&superblock), sizeof superblock}));
  return check(superblock);
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
  if (features & kNeedsRecovery) {
    log(LogLevel::Warning, "ext2: the journal has to be replayed: run e2fsck on the image");
    return Error::NotSupported;
  }
  if (const uint32_t unknown = features & ~kFileType; unknown != 0) {
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

Result<std::span<const uint32_t>> Volume::pointers(uint32_t block) {
  const auto bytes = TRY(cache_.view(TRY(block_offset(block)), block_size_));
  return std::span<const uint32_t>{reinterpret_cast<const uint32_t*>(bytes.data()), block_size_ / 4};
}

Result<DiskInode> Volume::read_inode(uint32_t number) {
  if (number == 0 || number > inode_count_) {
    log(LogLevel::Warning, "ext2: inode number %u is outside of the file system (%u inodes)", number, inode_count_);
    return Error::Io;
  }
  const uint32_t group = (number - 1) / inodes_per_group_, index = (number - 1) % inodes_per_group_;
  // The descriptors stand in the block behind the superblock's.
  GroupDescriptor descriptor;
  TRY(cache_.read(uint64_t{first_data_block_ + 1} * block_size_ + uint64_t{group} * sizeof descriptor,
                  {reinterpret_cast<uint8_t*>(&descriptor), sizeof descriptor}));
  const uint64_t offset = TRY(block_offset(descriptor.inode_table)) + uint64_t{index} * inode_size_;
  if (offset + inode_size_ > bytes()) {
    log(LogLevel::Warning, "ext2: the inode table of group %u leads outside of the file system", group);
    return Error::Io;
  }
  DiskInode inode;
  TRY(cache_.read(offset, {reinterpret_cast<uint8_t*>(&inode), sizeof inode}));
  return inode;
}

Result<Inode*> Volume::inode(uint32_t number) {
  Ext2Inode*& bucket = buckets_[number % kBuckets];
  for (Ext2Inode* known = bucket; known != nullptr; known = known->next_in_bucket)
    if (known->number() == number) return known;
  const DiskInode disk = TRY(read_inode(number));
  Ext2Inode* inode = TRY(make<Ext2Inode>(*this, number, disk));
  if (auto checked = inode->check(); checked.is_error()) {
    destroy(inode);
    return checked.error();
  }
  inode->next_in_bucket = bucket;
  bucket = inode;
  return inode;
}

}  // namespace ext2
}  // namespace kernel
