#include "kernel/memory/page_tree.h"

namespace kernel {
namespace {

constexpr int kBits = 9;
constexpr size_t kEntries = size_t{1} << kBits;
static_assert(kEntries * sizeof(PhysicalAddress) == kPageSize);

// How many pages a tree of that height can have: always a power of 512.
constexpr uint64_t capacity(int height) {
  return uint64_t{1} << (kBits * height);
}

PhysicalAddress* entries(PhysicalAddress node) {
  return direct_map<PhysicalAddress>(node);
}
size_t place(uint64_t index, int level) {
  return index >> (kBits * level) & (kEntries - 1);
}

bool is_empty(PhysicalAddress node) {
  for (size_t at = 0; at < kEntries; ++at)
    if (entries(node)[at] != 0) return false;
  return true;
}

}  // namespace

PhysicalAddress PageTree::find(uint64_t index) const {
  if (index >= capacity(shape_.height)) return 0;
  PhysicalAddress at = shape_.root;
  for (int level = shape_.height - 1; level >= 0 && at != 0; --level) at = entries(at)[place(index, level)];
  return at;
}

Result<void> PageTree::set(uint64_t index, PhysicalAddress page) {
  if (index >= capacity(kMaximumHeight)) return Error::FileTooLarge;
  while (index >= capacity(shape_.height)) {
    if (shape_.root != 0) {
      const PhysicalAddress node = TRY(allocate_page(PageOwner::KernelHeap));
      entries(node)[0] = shape_.root;
      shape_.root = node;
    }
    ++shape_.height;
  }
  PhysicalAddress* slot = &shape_.root;
  for (int level = shape_.height - 1; level >= 0; --level) {
    if (*slot == 0) {
      auto node = allocate_page(PageOwner::KernelHeap);
      if (node.is_error()) {
        remove_empty_nodes(index);
        return node.error();
      }
      *slot = node.value();
    }
    slot = &entries(*slot)[place(index, level)];
  }
  *slot = page;
  return {};
}

uint64_t PageTree::next_below(PhysicalAddress node, int height, uint64_t from) {
  if (node == 0) return kNone;
  if (height == 0) return from == 0 ? 0 : kNone;
  const uint64_t each = capacity(height - 1);
  for (size_t at = from / each; at < kEntries; ++at) {
    const uint64_t start = at * each;
    const uint64_t found = next_below(entries(node)[at], height - 1, from > start ? from - start : 0);
    if (found != kNone) return start + found;
  }
  return kNone;
}

uint64_t PageTree::next_page(uint64_t from) const {
  return from >= capacity(shape_.height) ? kNone : next_below(shape_.root, shape_.height, from);
}

PhysicalAddress PageTree::take_one(uint64_t index) {
  PhysicalAddress* slot = &shape_.root;
  for (int level = shape_.height - 1; level >= 0; --level) slot = &entries(*slot)[place(index, level)];
  const PhysicalAddress page = *slot;
  *slot = 0;
  remove_empty_nodes(index);
  return page;
}

// Those on the way to `index`, from below.
void PageTree::remove_empty_nodes(uint64_t index) {
  PhysicalAddress* path[kMaximumHeight + 1] = {};  // path[height]: where a node of that height is named
  int lowest = shape_.height;
  path[lowest] = &shape_.root;
  for (; lowest > 1 && *path[lowest] != 0; --lowest)
    path[lowest - 1] = &entries(*path[lowest])[place(index, lowest - 1)];
  for (int height = lowest; height <= shape_.height && height > 0; ++height) {
    if (*path[height] == 0) continue;
    if (!is_empty(*path[height])) return;
    free_pages(*path[height], 1);
    *path[height] = 0;
  }
  if (shape_.root == 0) shape_.height = 0;
}

}  // namespace kernel
