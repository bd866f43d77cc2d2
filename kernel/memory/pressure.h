// Memory is short, and what caches could give back in the middle of an allocation (reclaim.h) is gone: pages of files
// that the program has mapped can be read again, and changed ones can be written. That is done where nobody is in the
// middle of a change of the address space or of a file system: at the start of a page fault or of a network's turn,
// between the parts of a long call, and when a fault found no page at all.
#pragma once

#include <cstddef>

namespace kernel {

// What the file system can do then. Both may be called by any thread, with interrupts on; the first does not wait.
struct MemoryRelief {
  // Takes up to `wanted` clean pages out of the program's mappings and frees them; returns how many. Idle: only pages
  // that were not used since they were last looked at, and no long look.
  enum class Take : bool { Idle, Any };
  size_t (*take_mapped)(size_t wanted, Take take);
  // Waits until what was changed is on the disk; false: nothing was, or it cannot be written.
  bool (*write_changed)();
};
void set_memory_relief(const MemoryRelief& relief);

// The page allocator's word: fewer pages are free than should be.
extern bool g_memory_is_short;
size_t low_page_count();  // below it memory is short

void relieve_memory();
inline void relieve_memory_if_short() {
  if (g_memory_is_short) [[unlikely]]
    relieve_memory();
}

// For who cannot go on without a page: true when some became free, so that it is worth to try again. MayWait: also by
// writing to the disk.
enum class MayWait : bool { No, Yes };
bool find_memory(MayWait may_wait);

}  // namespace kernel
