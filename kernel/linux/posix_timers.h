// timer_create(2): timers that send a signal of their own. A repeating one is set again when its signal is taken, and
// what it missed until then is its overrun (Linux: posixtimer_rearm).
#pragma once

#include "kernel/linux/signals.h"

namespace kernel::linux {

// A queued signal of a timer (si_code SI_TIMER) was taken, its overrun is filled in; or it was thrown away. Interrupts
// off. One that no timer sent is left alone.
void timer_signal_taken(SignalInformation& information);

}  // namespace kernel::linux
