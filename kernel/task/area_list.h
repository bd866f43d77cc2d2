// The app's mappings: a sorted array of areas that never overlap; neighbours that are alike become one, as Linux's
// /proc/self/maps shows it. Pure logic: pages are the address space's matter (address_space.h).
#pragma once

#include "kernel/library/result.h"
#include "kernel/task/process.h"

namespace kernel {

struct RemovedAreas {
  static constexpr size_t kMaximum = 64;
  Inode* inodes[kMaximum];  // one for each area of a file that is gone
  size_t count = 0;
  uint64_t end = 0;
};

class AreaList {
 public:
  static constexpr size_t kMaximumAreas = 65530;  // Linux's vm.max_map_count

  size_t size() const { return count_; }
  const MemoryArea& at(size_t index) const { return areas_[index]; }
  // For the guest description block: where readers of bare RAM find them.
  MemoryArea* const* table_place() const { return &areas_; }
  const size_t* count_place() const { return &count_; }

  // The area that holds `address`; null: none.
  const MemoryArea* find(uint64_t address) const;
  // Index of the first area that ends behind `address` (size(): none).
  size_t first_ending_after(uint64_t address) const;
  bool overlaps(uint64_t start, uint64_t end) const;
  // Is every byte of [start, end) in some area?
  bool covers(uint64_t start, uint64_t end) const;

  // `area` must not overlap any other. NoMemory leaves the list as it was; so do the following two. Each area holds its
  // file open (Inode::opened).
  Result<void> insert(const MemoryArea& area);
  // What is gone is told in `removed`, as far as it got: call it again from removed.end on until that is `end`. The
  // caller closes the files when their pages are out of the page table (that may wait).
  Result<void> remove(uint64_t start, uint64_t end, RemovedAreas& removed);
  Result<void> protect(uint64_t start, uint64_t end, uint8_t protection);

  // The highest start of `length` free bytes in [low, high), with `gap` free bytes left below each Stack area.
  // 0: none.
  uint64_t find_gap(uint64_t length, uint64_t low, uint64_t high, uint64_t stack_gap) const;

 private:
  Result<void> reserve(size_t extra);
  void split(size_t index, uint64_t address);
  void insert_at(size_t index, const MemoryArea& area);
  void remove_at(size_t first, size_t count);
  bool merge_with_next(size_t index);

  MemoryArea* areas_ = nullptr;
  size_t count_ = 0;
  size_t capacity_ = 0;
};

}  // namespace kernel
