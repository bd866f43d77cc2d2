#include "kernel/crash/frame_pointer_walk.h"

#include "kernel/crash/checked_memory.h"
#include "kernel/crash/page_walk.h"
#include "snapshot/format/notes.h"

namespace kernel {

bool FramePointerWalk::next() {
  uint64_t saved[2];  // the caller's frame pointer, then the return address (AMD64 psABI figure 3.3)
  if (frame_pointer_ == 0 || (frame_pointer_ & 7) != 0 || !read_virtual(saved, frame_pointer_)) return false;
  const uint64_t page = page_down(saved[1]);
  const PageRun run = g_crash_page_walker.run_at(page, page + kPageSize);
  if (run.kind != PageRunKind::Present || (run.flags & mortem::format::kPageExecute) == 0) return false;
  pc_ = saved[1];
  // Stacks grow down: a caller's frame stands higher. Without that a loop would never end.
  frame_pointer_ = saved[0] > frame_pointer_ ? saved[0] : 0;
  return true;
}

}  // namespace kernel
