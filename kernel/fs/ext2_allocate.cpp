// Blocks and inodes given out and taken back: bitmaps, group descriptors, the superblock's counts.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"
#include "kernel/memory/heap.h"

namespace kernel::ext2 {
namespace {

constexpr uint32_t kNone = ~0u;

// The first bit from `from` on that is clear in all of the maps; kNone: none before `count`.
uint32_t find_clear(const uint64_t* bits, const uint64_t* more, const uint64_t* even_more, uint32_t from,
                    uint32_t count) {
  while (from < count) {
    const uint32_t word = from / 64;
    uint64_t taken = bits[word];
    if (more != nullptr) taken |= more[word];
    if (even_more != nullptr) taken |= even_more[word];
    taken |= (uint64_t{1} << from % 64) - 1;
    if (~taken == 0) {
      from = (word + 1) * 64;
      continue;
    }
    const uint32_t found = word * 64 + static_cast<uint32_t>(__builtin_ctzll(~taken));
    return found < count ? found : kNone;
  }
  return kNone;
}

}  // namespace

uint32_t Volume::blocks_in_group(uint32_t group) const {
  const uint32_t left = block_count_ - first_data_block_ - group * blocks_per_group_;
  return left < blocks_per_group_ ? left : blocks_per_group_;
}

uint32_t Volume::first_block_of_group_with(uint32_t inode) const {
  return first_data_block_ + (inode - 1) / inodes_per_group_ * blocks_per_group_;
}

// Blocks that are freed may not be given out again before their freedom is on the disk: until then they belong to a
// file that a power cut brings back.
Result<uint64_t*> Volume::freed_bits(uint32_t group) {
  if (groups_[group].freed == nullptr) {
    groups_[group].freed = static_cast<uint64_t*>(heap_allocate(block_size_));
    if (groups_[group].freed == nullptr) return stop_changes("no memory to free blocks", Error::NoMemory);
  }
  has_freed_ = true;
  return groups_[group].freed;
}

void Volume::close_freed() {
  for (uint32_t group = 0; group < group_count_; ++group) {
    groups_[group].freed_before = groups_[group].freed;
    groups_[group].freed = nullptr;
  }
  has_freed_before_ = has_freed_;
  has_freed_ = false;
}

void Volume::release_freed() {
  if (!has_freed_before_) return;
  for (uint32_t group = 0; group < group_count_; ++group) {
    heap_free(groups_[group].freed_before);
    groups_[group].freed_before = nullptr;
  }
  has_freed_before_ = false;
}

// NoSpace: none in this group.
Result<uint32_t> Volume::find_free_block(uint32_t of_group, uint32_t from) {
  const GroupDescriptor descriptor = TRY(group(of_group));
  if (descriptor.free_blocks == 0) return Error::NoSpace;
  const auto bytes = TRY(view(descriptor.block_bitmap));
  const Group& known = groups_[of_group];
  const uint32_t found = find_clear(reinterpret_cast<const uint64_t*>(bytes.data()), known.freed, known.freed_before,
                                    from, blocks_in_group(of_group));
  if (found == kNone) return Error::NoSpace;
  return found;
}

Result<uint32_t> Volume::allocate_block(uint32_t goal) {
  if (goal < first_data_block_ || goal >= block_count_) goal = first_data_block_;
  const uint32_t goal_group = (goal - first_data_block_) / blocks_per_group_;
  // The goal's group from the goal on, the others whole, then the goal's from its start.
  for (uint32_t round = 0; round <= group_count_; ++round) {
    const uint32_t at = (goal_group + round) % group_count_;
    auto found = find_free_block(at, round == 0 ? (goal - first_data_block_) % blocks_per_group_ : 0);
    if (found.is_error() && found.error() == Error::NoSpace) continue;
    const uint32_t index = TRY(found);
    const uint32_t block = first_data_block_ + at * blocks_per_group_ + index;
    auto bitmap = TRY(modify(TRY(group(at)).block_bitmap));
    // A damaged bitmap must not give out the file system's own tables.
    const GroupDescriptor descriptor = TRY(group(at));
    const uint32_t table_blocks = (inodes_per_group_ * inode_size_ + block_size_ - 1) / block_size_;
    if (block == descriptor.block_bitmap || block == descriptor.inode_bitmap ||
        (block >= descriptor.inode_table && block < descriptor.inode_table + table_blocks) ||
        block <= first_data_block_) {
      log(LogLevel::Warning, "ext3: the bitmap of group %u calls block %u free, which is the file system's own", at,
          block);
      return stop_changes("a bitmap is damaged", Error::Io);
    }
    bitmap[index / 8] |= uint8_t(1u << index % 8);
    --TRY(modify_group(at))->free_blocks;
    --TRY(modify_superblock())->free_block_count;
    return block;
  }
  return Error::NoSpace;
}

Result<void> Volume::free_blocks(uint32_t first, uint32_t count) {
  while (count > 0) {
    TRY(block_offset(first));
    TRY(block_offset(first + count - 1));
    const uint32_t of_group = (first - first_data_block_) / blocks_per_group_;
    const uint32_t index = (first - first_data_block_) % blocks_per_group_;
    const uint32_t part = count < blocks_per_group_ - index ? count : blocks_per_group_ - index;
    uint64_t* freed = TRY(freed_bits(of_group));
    auto bitmap = TRY(modify(TRY(group(of_group)).block_bitmap));
    uint32_t were_taken = 0;
    for (uint32_t bit = index; bit < index + part; ++bit) {
      const auto mask = uint8_t(1u << bit % 8);
      were_taken += (bitmap[bit / 8] & mask) != 0;
      bitmap[bit / 8] &= uint8_t(~mask);
      freed[bit / 64] |= uint64_t{1} << bit % 64;
    }
    if (were_taken != part) log(LogLevel::Warning, "ext3: blocks from %u on are freed that were free", first);
    GroupDescriptor* descriptor = TRY(modify_group(of_group));
    descriptor->free_blocks = static_cast<uint16_t>(descriptor->free_blocks + were_taken);
    TRY(modify_superblock())->free_block_count += were_taken;
    first += part;
    count -= part;
  }
  return {};
}

Result<Ext2Inode*> Volume::allocate_inode(const Ext2Inode& parent, uint16_t mode) {
  const uint32_t parent_group = (parent.number() - 1) / inodes_per_group_;
  const bool is_directory = (mode & kTypeMask) == kDirectory;
  for (uint32_t round = 0; round < group_count_; ++round) {
    const uint32_t at = (parent_group + round) % group_count_;
    const GroupDescriptor descriptor = TRY(group(at));
    if (descriptor.free_inodes == 0) continue;
    const auto bytes = TRY(view(descriptor.inode_bitmap));
    const uint32_t from = at == 0 ? first_inode_ - 1 : 0;
    const uint32_t index =
        find_clear(reinterpret_cast<const uint64_t*>(bytes.data()), nullptr, nullptr, from, inodes_per_group_);
    if (index == kNone) continue;
    const uint32_t number = at * inodes_per_group_ + index + 1;
    // The record in memory first: what fails changes nothing then.
    Ext2Inode*& bucket = buckets_[number % kBuckets];
    Ext2Inode* inode = bucket;
    while (inode != nullptr && inode->number() != number) inode = inode->next_in_bucket;
    if (inode != nullptr && inode->in_use_) {
      log(LogLevel::Warning, "ext3: the bitmap calls inode %u free, which is in use", number);
      return stop_changes("a bitmap is damaged", Error::Io);
    }
    if (inode == nullptr) {
      inode = TRY(make<Ext2Inode>(*this, number));
      inode->next_in_bucket = bucket;
      bucket = inode;
    }
    auto bitmap = TRY(modify(descriptor.inode_bitmap));
    bitmap[index / 8] |= uint8_t(1u << index % 8);
    GroupDescriptor* changed = TRY(modify_group(at));
    --changed->free_inodes;
    if (is_directory) ++changed->directories;
    --TRY(modify_superblock())->free_inode_count;
    auto place = TRY(modify_inode(number));
    __builtin_memset(place.data(), 0, place.size());
    inode->load(place);
    inode->in_use_ = true;
    inode->write_failed_ = false;
    inode->insert_hint_ = 0;
    inode->disk_.mode = mode;
    inode->disk_.generation = generation_++;
    constexpr uint16_t kExtraSize = 32;  // as Linux and mke2fs make it
    if (inode_size_ >= sizeof(DiskInode) + kExtraSize) inode->extra_.size = kExtraSize;
    inode->touch(Ext2Inode::Change::Both);
    inode->disk_.access_time = inode->disk_.modify_time;
    inode->extra_.access_time = inode->extra_.modify_time;
    inode->extra_.birth_time = inode->disk_.modify_time;
    inode->extra_.birth_time_extra = inode->extra_.modify_time;
    return inode;
  }
  return Error::NoSpace;
}

Result<void> Volume::free_inode(Ext2Inode& inode) {
  const uint32_t at = (inode.number() - 1) / inodes_per_group_, index = (inode.number() - 1) % inodes_per_group_;
  const bool is_directory = inode.is_directory();
  inode.disk_.deletion_time = static_cast<uint32_t>(wall_clock_ns() / 1'000'000'000);
  TRY(inode.store());
  auto bitmap = TRY(modify(TRY(group(at)).inode_bitmap));
  bitmap[index / 8] &= uint8_t(~(1u << index % 8));
  GroupDescriptor* changed = TRY(modify_group(at));
  ++changed->free_inodes;
  if (is_directory) --changed->directories;
  ++TRY(modify_superblock())->free_inode_count;
  inode.in_use_ = false;
  return {};
}

}  // namespace kernel::ext2
