// By what crashes are told apart: two of one signature are the same crash again, on whichever boot.
#pragma once

#include <cstdint>

#include "kernel/crash/crash_state.h"

namespace kernel {

// Of the reason and the innermost frames, each as module and offset, so that address randomization does not show.
// Never 0.
uint64_t crash_signature(const CrashState& state);

}  // namespace kernel
