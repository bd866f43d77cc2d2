// The root file system: ext2's layout, read-only, as mke2fs makes it with -t ext2 or -t ext3.
//
// Nothing on the disk is believed: a number that cannot be right ends in Error::Io, never in a wild access or a loop
// without end. Each kind of damage is logged with the inode or block at fault.
#pragma once

#include <cstdint>
#include <span>

#include "kernel/fs/block_cache.h"
#include "kernel/fs/ext2_format.h"
#include "kernel/fs/inode.h"

namespace kernel::ext2 {

class Ext2Inode;

// What is the same for all inodes of one file system.
class Volume {
 public:
  Volume(BlockDevice& device, uint64_t offset, uint64_t length, size_t cache_chunks)
      : cache_(device, offset, length, cache_chunks) {}

  Result<void> mount();                   // reads and checks the superblock
  Result<Inode*> inode(uint32_t number);  // kept for ever

  uint32_t block_size() const { return block_size_; }
  uint64_t bytes() const { return uint64_t{block_count_} * block_size_; }
  uint32_t inode_count() const { return inode_count_; }
  bool has_file_types() const { return has_file_types_; }
  BlockCache& cache() { return cache_; }
  // Io: no block of the file system has this number.
  Result<uint64_t> block_offset(uint32_t block) const;
  // 32-bit words of a block of pointers, checked to be one.
  Result<std::span<const uint32_t>> pointers(uint32_t block);

 private:
  Result<void> check(const Superblock& superblock);
  Result<DiskInode> read_inode(uint32_t number);

  static constexpr size_t kBuckets = 256;
  BlockCache cache_;
  uint32_t block_size_ = 0, block_count_ = 0, first_data_block_ = 0;
  uint32_t inode_count_ = 0, inodes_per_group_ = 0, inode_size_ = 0, group_count_ = 0;
  bool has_file_types_ = false;
  Ext2Inode* buckets_[kBuckets] = {};
};

class Ext2Inode : public Inode {
 public:
  Ext2Inode(Volume& volume, uint32_t number, const DiskInode& disk) : volume_(volume), number_(number), disk_(disk) {}
  Result<void> check() const;  // what can be known to be wrong without reading more

  Result<InodeStatus> status() override;
  Result<size_t> read(uint64_t offset, std::span<uint8_t> to) override;
  Result<Inode*> lookup(std::span<const char> name) override;
  Result<void> list(uint64_t cursor, DirectoryVisitor visit, void* context) override;
  Result<size_t> read_link(std::span<char> to) override;

  uint32_t number() const { return number_; }
  Ext2Inode* next_in_bucket = nullptr;

 private:
  // Blocks that follow each other in the file and on the disk; block 0: a hole.
  struct Run {
    uint32_t block;
    uint32_t count;
  };
  Result<Run> map(uint64_t index, uint32_t limit);
  Result<size_t> read_data(uint64_t offset, std::span<uint8_t> to);
  // Calls visit(record, name, offset behind the record) for each entry in use from `offset` on; false ends it.
  template <typename Visit>
  Result<void> walk(uint64_t offset, Visit visit);

  uint16_t type() const { return disk_.mode & kTypeMask; }
  uint64_t size() const;
  Error damaged(const char* what) const;  // logs it, gives Error::Io

  Volume& volume_;
  uint32_t number_;
  DiskInode disk_;
};

FileType file_type_of_mode(uint16_t mode);

}  // namespace kernel::ext2
