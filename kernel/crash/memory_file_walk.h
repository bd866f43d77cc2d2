// Files that live in memory, for the crash path: their page tree (kernel/memory/page_tree.h) read without trust.
#pragma once

#include "kernel/memory/page_tree.h"

namespace kernel {

struct MemoryFileRun {
  PhysicalAddress physical;  // of the first page; 0: a hole, or damaged
  uint64_t end;              // pages [index, end) are like that, one after the other in memory
  bool is_damaged;           // nothing is known about them
};
// From page `index` on, at most up to `limit`.
MemoryFileRun run_of_memory_file(const PageTree* tree, uint64_t index, uint64_t limit);

}  // namespace kernel
