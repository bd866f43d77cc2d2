#include "kernel/crash/memory_file_walk.h"

#include <type_traits>

#include "kernel/crash/checked_memory.h"

namespace kernel {
namespace {

constexpr int kBits = 9;  // of the index a level of the tree

// What the lowest node that decides says about `index`.
MemoryFileRun step(const PageTree::Shape& shape, uint64_t index) {
  if (shape.height < 0 || shape.height > PageTree::kMaximumHeight) return {0, PageTree::kNone, true};
  if (index >> (kBits * shape.height) != 0) return {0, PageTree::kNone, false};
  PhysicalAddress at = shape.root;
  for (int level = shape.height;; --level) {
    const uint64_t covered = uint64_t{1} << (kBits * level), end = (index & ~(covered - 1)) + covered;
    if (at == 0) return {0, end, false};
    if (page_down(at) != at || !is_ram(at)) return {0, end, true};
    if (level == 0) return {at, end, false};
    const uint64_t place = index >> (kBits * (level - 1)) & 511;
    if (!read_physical(&at, at + place * sizeof at, sizeof at)) return {0, end, true};
  }
}

}  // namespace

MemoryFileRun run_of_memory_file(const PageTree* tree, uint64_t index, uint64_t limit) {
  static_assert(std::is_standard_layout_v<PageTree> && sizeof(PageTree) == sizeof(PageTree::Shape));
  PageTree::Shape shape;
  if (!read_kernel(shape, reinterpret_cast<const PageTree::Shape*>(tree))) return {0, limit, true};
  MemoryFileRun run = step(shape, index);
  while (run.end < limit) {
    const MemoryFileRun next = step(shape, run.end);
    if ((next.physical != 0) != (run.physical != 0) || next.is_damaged != run.is_damaged) break;
    if (run.physical != 0 && next.physical != run.physical + (run.end - index) * kPageSize) break;
    run.end = next.end;
  }
  if (run.end > limit) run.end = limit;
  return run;
}

}  // namespace kernel
