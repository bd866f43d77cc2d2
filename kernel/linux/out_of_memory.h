// The end of a program for which there is no page left.
#pragma once

#include <cstdint>

#include "kernel/arch/x86_64/trap_frame.h"

namespace kernel::linux {

// Linux's OOM killer has only this program to choose: it ends with SIGKILL, and with a dump whose reason says who held
// the memory; the log has the largest mappings. `address`: what it touched. Allocates nothing.
[[noreturn]] void end_out_of_memory(TrapFrame& frame, uint64_t address);

}  // namespace kernel::linux
