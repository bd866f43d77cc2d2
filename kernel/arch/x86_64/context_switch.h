// context_switch.S: the registers of a thread that waits in the kernel, as they stand on its stack.
#pragma once

#include <cstdint>

#include "snapshot/format/notes.h"

namespace kernel {

using mortem::format::SwitchFrame;

extern "C" {
// Pushes a SwitchFrame, leaves its address in *save_rsp, and goes on in the one at `load_rsp`. Interrupts off.
[[gnu::visibility("hidden")]] void context_switch(uint64_t* save_rsp, uint64_t load_rsp);
[[gnu::visibility("hidden")]] void context_start();
}

// The first context of a thread: function(argument) on a stack that ends at `top` (16-byte aligned).
inline uint64_t make_first_context(uint64_t top, void (*function)(void* argument), void* argument) {
  auto* frame = reinterpret_cast<SwitchFrame*>(top) - 1;
  *frame = {};
  frame->rip = reinterpret_cast<uint64_t>(&context_start);
  frame->rbx = reinterpret_cast<uint64_t>(function);
  frame->r12 = reinterpret_cast<uint64_t>(argument);
  return reinterpret_cast<uint64_t>(frame);
}

}  // namespace kernel
