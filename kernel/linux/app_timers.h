// The app's own timer: setitimer(ITIMER_REAL) and alarm.
#pragma once

#include <cstdint>

namespace kernel::linux {

struct RealTimer {
  uint64_t deadline_ns;  // of monotonic_ns(); kNoDeadline: off
  uint64_t interval_ns;  // 0: once
};
extern RealTimer g_real_timer;

void set_real_timer(uint64_t delay_ns, uint64_t interval_ns);  // delay 0: off
void fire_app_timers();                                        // raises SIGALRM when it is time
uint64_t next_app_timer();                                     // kNoDeadline: none

}  // namespace kernel::linux
