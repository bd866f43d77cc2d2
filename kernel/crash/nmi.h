// An NMI from outside asks for a dump. One that can be resumed is of a kernel that is in the middle of nothing: an
// interrupt that follows the NMI writes it where that meets the program, or nobody running. A kernel that does not come
// to that soon is what the NMI may have been sent for: its dump is of where it is. Where interrupts are off nothing but
// single steps (Intel SDM vol. 3, 18.3.1.4) shows whether they come on again.
#pragma once

#include "kernel/arch/x86_64/trap_frame.h"

namespace kernel {

void nmi_initialize();

// Asked by the trap dispatcher, in the NMI. False: it has to be answered right here.
bool put_nmi_off(TrapFrame& frame);

extern bool g_nmi_is_put_off;
// At the end of any interrupt meanwhile, which came at `frame`; returns in a resumed guest, or if it is too early.
void answer_nmi(TrapFrame& frame);
// Before the return to the app, meanwhile, interrupts off: the answer is the first thing there.
void nmi_meets_app();
// True: this debug exception is a step on the way.
bool take_nmi_step(TrapFrame& frame);

}  // namespace kernel
