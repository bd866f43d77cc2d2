// Takes what the processor knew at the moment of the crash. First thing on the crash path: everything after it changes
// some of that.
#pragma once

#include "kernel/crash/crash_state.h"

namespace kernel {

// `state.frame`, `state.in_kernel` and `state.reason` are there already. `extended_state`: 64-byte aligned memory of
// g_cpu.xsave_size bytes, or null.
void capture_moment(CrashState& state, void* extended_state);

}  // namespace kernel
