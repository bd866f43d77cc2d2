// Stopping the app and letting it go on. A stop brings every thread to the user boundary (calls that wait are
// interrupted and will be made again), where it parks; when all have, the stub's thread is woken.
#pragma once

#include "kernel/linux/app.h"

namespace kernel::debug {

// A client has asked for the app: from then on signals and breakpoints stop it, until it is let go.
bool is_attached();
void set_attached(bool attached);

void request_stop();    // all threads; no error when they are stopping or stopped
bool stop_is_wanted();  // requested, and not yet taken by take_stop()
bool everyone_is_parked();
void stop_was_reported();  // ends the request

// `thread` has something to tell and stops, with all others. Returns when it was resumed. Interrupts off.
void stop_with(linux::AppThread& thread, TrapFrame& frame, const mortem::gdbstub::Stop& stop);
// The thread parks until release_thread(). Interrupts off.
void park(linux::AppThread& thread, TrapFrame& frame);
void release_thread(linux::AppThread& thread);
// Whether one of the threads that run may still come to a stop.
void set_parked_handler(void (*everyone_parked)());  // from any thread, interrupts off
void check_parked();

constexpr uint64_t kTrapFlag = 0x100;

}  // namespace kernel::debug
