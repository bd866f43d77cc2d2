// Takes what the processor knew at the moment of the crash. First thing on the crash path: everything after it changes
// some of that.
#pragma once

#include "kernel/crash/crash_state.h"

namespace kernel {

// What needs nothing but the processor: the general registers (from `state.frame`, and the segment bases), the page
// tables, how far the log was. Done before anything that could trap, so that every report has them.
void capture_registers(CrashState& state);
// The rest: extended state, system registers, thread, clocks. `extended_state`: 64-byte aligned memory of
// g_cpu.xsave_size bytes, or null.
void capture_moment(CrashState& state, void* extended_state);

}  // namespace kernel
