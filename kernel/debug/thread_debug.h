// What the debugger keeps of each thread of the app.
#pragma once

#include "gdbstub/target.h"
#include "kernel/linux/signals.h"

namespace kernel::debug {

struct ThreadDebug {
  bool stop_requested = false;  // shall come to the user boundary and park there
  bool parked = false;          // stands there: its registers are in its record and may be changed
  bool has_event = false;       // `event` has not been reported yet
  mortem::gdbstub::Stop event;
  // The siginfo of the stop: of the signal that is about to be delivered, or what Linux's tracer sees for a trap.
  bool has_information = false;
  linux::SignalInformation information;
  bool in_signal_stop = false;  // parked in signal_arrives(), which wants an answer:
  int signal_to_deliver = 0;    // 0: none
  int injected_signal = 0;      // sent by the debugger: it need not hear of it; 0: none
  bool stands_at_dump = false;  // at the signal of the dump that its guest was resumed from
  bool crash_was_seen = false;  // the debugger was stopped at the signal that ends the app

  bool resume_prepared = false;  // goes on with the next resume, by `action`
  mortem::gdbstub::ResumeAction action;
  bool stepping = false;
  bool before_first_step = false;  // resumed to step and not in the kernel since
  uint64_t range_start = 0, range_end = 0;
  bool in_caught_call = false;   // a system call whose return is to be reported
  uint64_t debug_status = 0;     // DR6 bits of accesses that the kernel made for the thread
  bool crash_on_resume = false;  // `monitor dump`
};

}  // namespace kernel::debug
