// The fixup table: instructions of the kernel that may fault, and where to go on when they do.
#pragma once

#include "kernel/arch/x86_64/trap_frame.h"

namespace kernel {

bool has_fixup(const TrapFrame& frame);
// Moves frame.rip to the fixup of the faulting instruction; false: it has none.
bool apply_fixup(TrapFrame& frame);

}  // namespace kernel
