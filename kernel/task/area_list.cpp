#include "kernel/task/area_list.h"

#include "kernel/fs/inode.h"
#include "kernel/memory/heap.h"

namespace kernel {
namespace {

bool alike(const MemoryArea& left, const MemoryArea& right) {
  if (left.end != right.start || left.protection != right.protection || left.kind != right.kind ||
      left.shared != right.shared || left.inode != right.inode || left.path != right.path ||
      left.may_write != right.may_write)
    return false;
  if (left.kind == AreaKind::Stack || left.kind == AreaKind::Vdso || left.kind == AreaKind::Vvar) return false;
  return left.inode == nullptr || left.file_offset + (left.end - left.start) == right.file_offset;
}

}  // namespace

size_t AreaList::first_ending_after(uint64_t address) const {
  size_t low = 0, high = count_;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (areas_[middle].end <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

const MemoryArea* AreaList::find(uint64_t address) const {
  const size_t index = first_ending_after(address);
  return index < count_ && areas_[index].start <= address ? &areas_[index] : nullptr;
}

bool AreaList::overlaps(uint64_t start, uint64_t end) const {
  const size_t index = first_ending_after(start);
  return index < count_ && areas_[index].start < end;
}

bool AreaList::covers(uint64_t start, uint64_t end) const {
  for (size_t index = first_ending_after(start); start < end; ++index) {
    if (index >= count_ || areas_[index].start > start) return false;
    start = areas_[index].end;
  }
  return true;
}

Result<void> AreaList::reserve(size_t extra) {
  const size_t wanted = count_ + extra;
  if (wanted <= capacity_) return {};
  if (wanted > kMaximumAreas + 2) return Error::NoMemory;
  const size_t capacity = capacity_ == 0 ? 64 : capacity_ * 2;
  auto* areas = static_cast<MemoryArea*>(heap_allocate(capacity * sizeof(MemoryArea)));
  if (areas == nullptr) return Error::NoMemory;
  if (count_ > 0) __builtin_memcpy(areas, areas_, count_ * sizeof(MemoryArea));
  heap_free(areas_);
  areas_ = areas;
  capacity_ = capacity;
  return {};
}

void AreaList::insert_at(size_t index, const MemoryArea& area) {
  const MemoryArea copy = area;  // may stand in the array that moves
  __builtin_memmove(areas_ + index + 1, areas_ + index, (count_ - index) * sizeof(MemoryArea));
  areas_[index] = copy;
  ++count_;
}

void AreaList::remove_at(size_t first, size_t count) {
  __builtin_memmove(areas_ + first, areas_ + first + count, (count_ - first - count) * sizeof(MemoryArea));
  count_ -= count;
}

void AreaList::split(size_t index, uint64_t address) {
  MemoryArea upper = areas_[index];
  if (upper.inode != nullptr) {
    upper.file_offset += address - upper.start;
    upper.inode->opened();
  }
  upper.start = address;
  areas_[index].end = address;
  insert_at(index + 1, upper);
}

bool AreaList::merge_with_next(size_t index) {
  if (index + 1 >= count_ || !alike(areas_[index], areas_[index + 1])) return false;
  Inode* inode = areas_[index].inode;
  areas_[index].end = areas_[index + 1].end;
  remove_at(index + 1, 1);
  if (inode != nullptr) inode->closed();  // not the last one
  return true;
}

Result<void> AreaList::insert(const MemoryArea& area) {
  TRY(reserve(1));
  size_t index = first_ending_after(area.start);
  insert_at(index, area);
  if (area.inode != nullptr) area.inode->opened();
  merge_with_next(index);
  if (index > 0) merge_with_next(index - 1);
  if (count_ > kMaximumAreas) {
    RemovedAreas removed;
    TRY(remove(area.start, area.end, removed));
    if (area.inode != nullptr) area.inode->closed();  // not the last one: the caller has it
    return Error::NoMemory;
  }
  return {};
}

Result<void> AreaList::remove(uint64_t start, uint64_t end, RemovedAreas& removed) {
  TRY(reserve(1));
  removed.count = 0;
  removed.end = end;
  size_t index = first_ending_after(start);
  if (index < count_ && areas_[index].start < start) split(index++, start);
  size_t last = index;
  for (; last < count_ && areas_[last].end <= end; ++last) {
    if (areas_[last].inode == nullptr) continue;
    if (removed.count == RemovedAreas::kMaximum) break;
    removed.inodes[removed.count++] = areas_[last].inode;
  }
  if (last < count_ && areas_[last].start < end) {
    if (areas_[last].end <= end) {
      removed.end = areas_[last].start;  // more than can be told at once
    } else {
      if (areas_[last].inode != nullptr) areas_[last].file_offset += end - areas_[last].start;
      areas_[last].start = end;
    }
  }
  remove_at(index, last - index);
  return {};
}

Result<void> AreaList::protect(uint64_t start, uint64_t end, uint8_t protection) {
  TRY(reserve(2));
  size_t index = first_ending_after(start);
  if (index < count_ && areas_[index].start < start) split(index++, start);
  const size_t first = index;
  for (; index < count_ && areas_[index].start < end; ++index) {
    if (areas_[index].end > end) split(index, end);
    areas_[index].protection = protection;
  }
  size_t at = first > 0 ? first - 1 : 0;
  for (; at + 1 < count_ && areas_[at].start < end;)
    if (!merge_with_next(at)) ++at;
  return {};
}

uint64_t AreaList::find_gap(uint64_t length, uint64_t low, uint64_t high, uint64_t stack_gap) const {
  if (length == 0 || high <= low || high - low < length) return 0;
  uint64_t top = high;
  size_t index = first_ending_after(high - 1);
  // The area that holds, or comes next above, `high` limits it; then go down, gap by gap.
  if (index < count_) {
    const uint64_t limit = areas_[index].start - (areas_[index].kind == AreaKind::Stack ? stack_gap : 0);
    if (limit < top) top = limit;
  }
  while (true) {
    const uint64_t bottom = index > 0 ? (areas_[index - 1].end > low ? areas_[index - 1].end : low) : low;
    if (top > bottom && top - bottom >= length) return top - length;
    if (index == 0 || bottom == low) return 0;
    --index;
    const uint64_t limit = areas_[index].start - (areas_[index].kind == AreaKind::Stack ? stack_gap : 0);
    if (limit < top) top = limit;
  }
}

}  // namespace kernel
