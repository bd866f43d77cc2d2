// An NMI from outside asks for a dump. One that can be resumed is of a kernel that is in the middle of nothing: an
// interrupt that follows the NMI writes it where that meets the program, or nobody running. A kernel that does not come
// to that soon, or has interrupts off, is what the NMI may have been sent for: its dump is of where it is.
#pragma once

#include "kernel/arch/x86_64/trap_frame.h"

namespace kernel {

void nmi_initialize();

// Asked by the trap dispatcher, in the NMI. False: it has to be answered right here.
bool put_nmi_off(const TrapFrame& frame);

extern bool g_nmi_is_put_off;
// At the end of any interrupt meanwhile, which came at `frame`; returns in a resumed guest, or if it is too early.
void answer_nmi(const TrapFrame& frame);

}  // namespace kernel
