// Which signals stop the app for its debugger.
#pragma once

#include "gdbstub/target.h"
#include "kernel/linux/signals.h"

namespace kernel::debug {

void set_passed_signals(mortem::gdbstub::SignalSet signals);  // QPassSignals
bool passes_at_once(int signal);

// `on-crash=gdb`: a signal that would end the app with a dump stops it, though no client is there yet.
bool stops_at_crash();
void announce_crash(const linux::SignalInformation& information, const TrapFrame& frame);

}  // namespace kernel::debug
