// Where a file's blocks are: 12 pointers in the inode, then blocks of pointers in one, two and three levels.
#include "kernel/fs/ext2.h"
#include "kernel/library/log.h"

namespace kernel::ext2 {

// Where the block `index` of the file is, and how many after it (at most `limit` in all) follow it on the disk.
Result<Ext2Inode::Run> Ext2Inode::map(uint64_t index, uint32_t limit) {
  const uint32_t each = volume_.block_size() / 4;
  std::span<const uint32_t> table{disk_.block, kDirectBlocks};
  if (index >= kDirectBlocks) {
    index -= kDirectBlocks;
    uint64_t covered = each;  // blocks below one pointer of the inode
    int depth = 1;
    while (index >= covered) {
      index -= covered;
      if (++depth > 3) return damaged("larger than three levels of block pointers reach");
      covered *= each;
    }
    uint32_t block = disk_.block[kDirectBlocks + depth - 1];
    for (;; --depth) {
      covered /= each;
      if (block == 0) {
        // Nothing below this pointer: a hole up to its end.
        const uint64_t left = covered * each - index;
        return Run{0, left < limit ? static_cast<uint32_t>(left) : limit};
      }
      table = TRY(volume_.pointers(block));
      if (depth == 1) break;
      block = table[index / covered];
      index %= covered;
    }
  }
  Run run{table[index], 1};
  if (run.block != 0) TRY(volume_.block_offset(run.block));
  while (run.count < limit && index + run.count < table.size()) {
    const uint32_t next = table[index + run.count];
    if (next != (run.block == 0 ? 0 : run.block + run.count)) break;
    if (next != 0) TRY(volume_.block_offset(next));
    ++run.count;
  }
  return run;
}

// Near the block before it, else near the inode.
Result<uint32_t> Ext2Inode::goal_of(uint64_t index) {
  if (index > 0) {
    const Run before = TRY(map(index - 1, 1));
    if (before.block != 0) return before.block + 1;
  }
  return volume_.first_block_of_group_with(number_);
}

// The caller has begun with kAppendBlocks and stores the inode afterwards, also on an error: the blocks of pointers
// that were given out until then stay with the file.
Result<uint32_t> Ext2Inode::map_or_allocate(uint64_t index) {
  const Run known = TRY(map(index, 1));
  if (known.block != 0) return known.block;
  uint32_t goal = TRY(goal_of(index));
  const uint32_t each = volume_.block_size() / 4;
  uint32_t parent = 0, slot = static_cast<uint32_t>(index);  // parent 0: the inode itself
  int depth = 0;
  uint64_t covered = 1;
  if (index >= kDirectBlocks) {
    index -= kDirectBlocks;
    for (covered = each, depth = 1; index >= covered; covered *= each, ++depth) index -= covered;
    slot = static_cast<uint32_t>(kDirectBlocks) + static_cast<uint32_t>(depth) - 1;
  }
  for (;; --depth) {
    uint32_t block = TRY(slot_value(parent, slot));
    if (block == 0) {
      block = TRY(volume_.allocate_block(goal));
      goal = block + 1;
      if (depth > 0 || !is_regular()) TRY(volume_.create(block));
      if (parent == 0)
        disk_.block[slot] = block;
      else
        reinterpret_cast<uint32_t*>(TRY(volume_.modify(parent)).data())[slot] = block;
      disk_.sectors += volume_.block_size() / 512;
    }
    if (depth == 0) return block;
    covered /= each;
    parent = block;
    slot = static_cast<uint32_t>(index / covered);
    index %= covered;
  }
}

Result<uint32_t> Ext2Inode::slot_value(uint32_t parent, uint32_t slot) {
  if (parent == 0) return disk_.block[slot];
  return TRY(volume_.pointers(parent))[slot];
}

Result<void> Ext2Inode::clear_slots(uint32_t parent, uint32_t slot, uint32_t count) {
  uint32_t* slots = disk_.block;
  if (parent != 0) slots = reinterpret_cast<uint32_t*>(TRY(volume_.modify(parent)).data());
  __builtin_memset(slots + slot, 0, count * sizeof(uint32_t));
  return {};
}

Result<void> Ext2Inode::free_run(uint32_t block, uint32_t count, bool is_metadata) {
  if (is_metadata)
    for (uint32_t at = 0; at < count; ++at) volume_.journal().forget(block + at);
  TRY(volume_.free_blocks(block, count));
  const uint32_t sectors = count * (volume_.block_size() / 512);
  disk_.sectors -= disk_.sectors < sectors ? disk_.sectors : sectors;
  return {};
}

// Between two steps the file is whole, only shorter: the running transaction may end here.
Result<void> Ext2Inode::begin_free_step(Room room) {
  if (!volume_.journal().has_room(kFreeStepBlocks)) TRY(store_sized());
  return volume_.begin(kFreeStepBlocks, room);
}

// What hangs on a slot (of the inode, or of the block of pointers `parent`) at block `from` of the file and behind it;
// the slot's part of the file begins at block `first`.
Result<void> Ext2Inode::free_below(uint32_t parent, uint32_t slot, int depth, uint64_t first, uint64_t from,
                                   Room room) {
  const uint32_t block = TRY(slot_value(parent, slot));
  if (block == 0) return {};
  const uint32_t each = volume_.block_size() / 4;
  uint64_t covered = 1;  // by one pointer of the block
  for (int level = 1; level < depth; ++level) covered *= each;
  const uint64_t start = from > first ? (from - first) / covered : 0;
  for (uint64_t child = start; child < each;) {
    if (depth > 1) {
      TRY(free_below(block, static_cast<uint32_t>(child), depth - 1, first + child * covered, from, room));
      ++child;
      continue;
    }
    // Neighbours on the disk go together; of metadata fewer, because each block of it is told to the journal.
    TRY(begin_free_step(room));
    const auto table = TRY(volume_.pointers(block));
    const uint32_t most = is_regular() ? each : 4;
    const uint32_t data = table[child];
    uint32_t count = 1;
    if (data == 0) {
      while (child + count < each && table[child + count] == 0) ++count;
      child += count;
      continue;
    }
    while (count < most && child + count < each && table[child + count] == data + count) ++count;
    TRY(clear_slots(block, static_cast<uint32_t>(child), count));
    TRY(free_run(data, count, !is_regular()));
    child += count;
  }
  if (start > 0) return {};
  TRY(begin_free_step(room));
  TRY(clear_slots(parent, slot, 1));
  TRY(free_run(block, 1, true));
  return store_sized();
}

Result<void> Ext2Inode::free_blocks_from(uint64_t from, Room room) {
  const bool has_blocks = type() == kRegular || type() == kDirectory || type() == kSymlink;
  if (!has_blocks || is_fast_symlink()) return {};
  const uint32_t each = volume_.block_size() / 4;
  for (uint32_t slot = 0; slot < kDirectBlocks; ++slot) {
    if (slot < from || disk_.block[slot] == 0) continue;
    TRY(begin_free_step(room));
    const uint32_t block = disk_.block[slot];
    TRY(clear_slots(0, slot, 1));
    TRY(free_run(block, 1, !is_regular()));
    TRY(store_sized());
  }
  uint64_t first = kDirectBlocks, covered = each;
  for (int depth = 1; depth <= 3; ++depth) {
    if (from < first + covered)
      TRY(free_below(0, static_cast<uint32_t>(kDirectBlocks) + static_cast<uint32_t>(depth) - 1, depth, first, from,
                     room));
    first += covered;
    covered *= each;
  }
  TRY(begin_free_step(room));
  return store_sized();
}

}  // namespace kernel::ext2
