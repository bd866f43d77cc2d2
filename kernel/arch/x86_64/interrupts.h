// Device interrupts: local APIC (xAPIC or x2APIC), MSI vectors, the timer tick.
#pragma once

#include <cstdint>

#include "kernel/library/result.h"

namespace kernel {

using InterruptHandler = void (*)(void* context);

struct MessageInterrupt {  // what goes into an MSI-X table entry
  uint64_t address;
  uint32_t data;
};

// A vector of its own for a device; handlers run with interrupts disabled and the end-of-interrupt is sent for them.
Result<MessageInterrupt> allocate_message_interrupt(InterruptHandler handler, void* context);

// Nanoseconds since boot, monotonic; from the TSC (calibrated against the PIT or taken from the hypervisor).
uint64_t monotonic_ns();
// Unix time in nanoseconds (wall_clock.h at boot plus monotonic_ns); 0 if the clock made no sense.
int64_t wall_clock_ns();
// For the vDSO: ns = (tsc - base_tsc) * multiplier >> 32, from boot; wall = that + wall_offset_ns.
struct ClockParameters {
  uint64_t base_tsc, multiplier;
  int64_t wall_offset_ns;
};
ClockParameters clock_parameters();
void set_wall_clock(int64_t now_ns);   // whoever keeps a copy of the parameters is to be told
const ClockParameters* clock_place();  // where they stand, for readers of bare RAM
// One-shot: an interrupt no later than this moment of monotonic_ns (so that wait_for_interrupt returns).
void arm_timer(uint64_t deadline_ns);
struct OneShotTimer {
  uint64_t deadline_ns;  // what it is set to; moments that have passed are set too; all ones: not set
  bool came;             // an interrupt, since timer_interrupt_came() was asked last
};
extern OneShotTimer g_one_shot_timer;  // read on every return to the app
bool timer_interrupt_came();           // since it was asked last
bool is_in_interrupt();                // a device's handler runs

}  // namespace kernel
