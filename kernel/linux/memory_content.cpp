#include "kernel/linux/memory_content.h"

#include "kernel/task/file_mappings.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kLargestSize = uint64_t{1} << 62;  // no offset that is added to it overflows

uint64_t page_count(uint64_t bytes) {
  return (bytes + kPageSize - 1) / kPageSize;
}

}  // namespace

MemoryContent::~MemoryContent() {
  take_out(0, PageTree::kNone);
}

size_t MemoryContent::read(uint64_t offset, std::span<uint8_t> to) const {
  size_t done = 0;
  while (done < to.size() && offset < size_) {
    const uint64_t within = offset % kPageSize;
    size_t part = kPageSize - within;
    if (part > to.size() - done) part = to.size() - done;
    if (part > size_ - offset) part = size_ - offset;
    if (const PhysicalAddress page = tree_.find(offset / kPageSize); page != 0)
      __builtin_memcpy(to.data() + done, direct_map<uint8_t>(page) + within, part);
    else
      __builtin_memset(to.data() + done, 0, part);
    done += part;
    offset += part;
  }
  return done;
}

Result<size_t> MemoryContent::write(uint64_t offset, std::span<const uint8_t> from) {
  if (offset >= kLargestSize || from.size() > kLargestSize - offset) return Error::FileTooLarge;
  size_t done = 0;
  while (done < from.size()) {
    const uint64_t within = offset % kPageSize;
    auto to = page(offset / kPageSize);
    if (to.is_error()) return done > 0 ? Result<size_t>(done) : Error::NoSpace;
    size_t part = kPageSize - within;
    if (part > from.size() - done) part = from.size() - done;
    __builtin_memcpy(direct_map<uint8_t>(to.value()) + within, from.data() + done, part);
    done += part;
    offset += part;
    if (offset > size_) size_ = offset;
  }
  return done;
}

Result<void> MemoryContent::resize(uint64_t size) {
  if (size > kLargestSize) return Error::FileTooLarge;
  const uint64_t old = size_;
  size_ = size;
  if (size >= old) return {};
  const uint64_t keep = page_count(size);
  unmap_file_pages(owner_, keep, PageTree::kNone, PrivateCopies::Go);
  take_out(keep, PageTree::kNone);
  // What grows again later reads as zeros.
  if (size % kPageSize != 0) clear(size, kPageSize - size % kPageSize);
  return {};
}

Result<void> MemoryContent::allocate(uint64_t offset, uint64_t length) {
  const uint64_t first = offset / kPageSize, last = page_count(offset + length);
  if (last - first > ram_page_count()) return Error::NoSpace;
  uint64_t missing = 0;
  for (uint64_t index = first; index < last; ++index) missing += tree_.find(index) == 0;
  if (missing > limit_.most - limit_.used || missing > free_page_count()) return Error::NoSpace;
  for (uint64_t index = first; index < last; ++index)
    if (page(index).is_error()) return Error::NoSpace;  // nodes of the tree took the last pages: what is there stays
  return {};
}

void MemoryContent::punch_hole(uint64_t offset, uint64_t length) {
  if (offset >= kLargestSize) return;  // no page is there
  if (length > kLargestSize - offset) length = kLargestSize - offset;
  const uint64_t end = offset + length;
  const uint64_t first = page_count(offset), last = end / kPageSize;  // whole pages
  if (first > last) return clear(offset, length);                     // inside of one
  if (offset % kPageSize != 0) clear(offset, first * kPageSize - offset);
  if (end % kPageSize != 0) clear(last * kPageSize, end % kPageSize);
  unmap_file_pages(owner_, first, last, PrivateCopies::Stay);
  take_out(first, last);
}

Result<PhysicalAddress> MemoryContent::shared_page(uint64_t index) {
  if (index >= page_count(size_)) return Error::Invalid;
  const PhysicalAddress found = TRY(page(index));
  TRY(retain_page(found));
  return found;
}

PhysicalAddress MemoryContent::cached_page(uint64_t index) const {
  const PhysicalAddress found = index < page_count(size_) ? tree_.find(index) : 0;
  return found != 0 && !retain_page(found).is_error() ? found : 0;
}

uint64_t MemoryContent::next_data(uint64_t offset) const {
  const uint64_t index = tree_.next_page(offset / kPageSize);
  if (index >= page_count(size_)) return size_;
  return index * kPageSize > offset ? index * kPageSize : offset;
}

uint64_t MemoryContent::next_hole(uint64_t offset) const {
  uint64_t index = offset / kPageSize;
  while (index < page_count(size_) && tree_.find(index) != 0) ++index;
  if (index >= page_count(size_)) return size_;
  return index * kPageSize > offset ? index * kPageSize : offset;
}

Result<PhysicalAddress> MemoryContent::page(uint64_t index) {
  if (const PhysicalAddress found = tree_.find(index); found != 0) return found;
  if (limit_.used >= limit_.most) return Error::NoSpace;
  const PhysicalAddress fresh = TRY(allocate_page(PageOwner::SharedMemory));
  if (auto set = tree_.set(index, fresh); set.is_error()) {
    free_pages(fresh, 1);
    return set.error();
  }
  ++pages_;
  ++limit_.used;
  return fresh;
}

void MemoryContent::take_out(uint64_t first, uint64_t last) {
  tree_.take_out(first, last, [this](PhysicalAddress page) {
    free_pages(page, 1);
    --pages_;
    --limit_.used;
  });
}

void MemoryContent::clear(uint64_t offset, uint64_t length) {
  if (const PhysicalAddress page = tree_.find(offset / kPageSize); page != 0)
    __builtin_memset(direct_map<uint8_t>(page) + offset % kPageSize, 0, length);
}

}  // namespace kernel::linux
