// The chain of frame pointers (rbp): a guess, since code may use rbp for anything; good enough for a line on the
// console, said to be what it is. The dump is what tells the truth.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/crash/deadline.h"

namespace kernel {

class FramePointerWalk {
 public:
  FramePointerWalk(uint64_t pc, uint64_t frame_pointer) : pc_(pc), frame_pointer_(frame_pointer) {}
  uint64_t pc() const { return pc_; }
  // To the caller; false: the chain ends (null, unreadable, not growing, or the return address is no code).
  bool next();

 private:
  uint64_t pc_, frame_pointer_;
};

}  // namespace kernel
