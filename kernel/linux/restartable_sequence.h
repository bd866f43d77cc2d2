// rseq(2): where the thread runs (one CPU: always 0), and sequences that must begin again after a signal.
#pragma once

#include "kernel/arch/x86_64/trap_frame.h"

namespace kernel::linux {

// Before a signal handler runs: a thread inside a sequence goes on at its abort address.
void abort_restartable_sequence(TrapFrame& frame);

}  // namespace kernel::linux
