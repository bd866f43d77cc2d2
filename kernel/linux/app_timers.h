// The app's own timer: setitimer(ITIMER_REAL) and alarm.
#pragma once

#include <cstdint>

#include "kernel/task/timer_queue.h"

namespace kernel::linux {

struct RealTimer : Timer {
  uint64_t interval_ns = 0;  // 0: once
};
extern RealTimer g_real_timer;

void set_real_timer(uint64_t delay_ns, uint64_t interval_ns);  // delay 0: off

}  // namespace kernel::linux
