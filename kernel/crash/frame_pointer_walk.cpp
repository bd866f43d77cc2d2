#include "kernel/crash/frame_pointer_walk.h"

#include "kernel/crash/checked_memory.h"
#include "kernel/crash/page_walk.h"

namespace kernel {

bool FramePointerWalk::next() {
  uint64_t saved[2];  // the caller's frame pointer, then the return address (AMD64 psABI figure 3.3)
  if (frame_pointer_ == 0 || (frame_pointer_ & 7) != 0 || !read_virtual(saved, frame_pointer_)) return false;
  if (!is_code(saved[1])) return false;
  pc_ = saved[1];
  // Stacks grow down: a caller's frame stands higher. Without that a loop would never end.
  frame_pointer_ = saved[0] > frame_pointer_ ? saved[0] : 0;
  return true;
}

}  // namespace kernel
