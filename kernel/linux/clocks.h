// The clocks of clock_gettime(2), and timers that stand on any of them.
#pragma once

#include <cstdint>

#include "kernel/library/result.h"
#include "kernel/task/timer_queue.h"

namespace kernel::linux {

inline constexpr int kClockRealtime = 0, kClockMonotonic = 1, kClockProcess = 2, kClockThread = 3,
                     kClockMonotonicRaw = 4, kClockRealtimeCoarse = 5, kClockMonotonicCoarse = 6, kClockBootTime = 7,
                     kClockRealtimeAlarm = 8, kClockBootTimeAlarm = 9, kClockTai = 11;  // CLOCK_*

Result<uint64_t> clock_now(int clock);  // nanoseconds; Invalid: no such clock, or of a thread that is not there
bool is_cpu_clock(int clock);
// The same clock as any thread names it: the caller's own gets its thread's id.
int absolute_clock(int clock);

// Goes off at a moment of its clock. CPU time cannot run faster than the one CPU: a timer on it looks again when its
// time would be up at the earliest. The wall clock is never set here, so that it stands still against the monotonic
// one. Its owner disarms it before it goes.
class ClockTimer : private Timer {
 public:
  using Expired = void (*)(ClockTimer& timer);  // interrupts off, from anywhere; the timer is not set then
  constexpr ClockTimer(int clock, Expired expired) : clock_(clock), expired_(expired) { fire = look; }
  ClockTimer(const ClockTimer&) = delete;
  ClockTimer& operator=(const ClockTimer&) = delete;

  // `expiry` in nanoseconds of the clock, interval 0: once. Past moments go off at once.
  void arm(uint64_t expiry, uint64_t interval);
  void disarm();
  // Moves an expiry that has passed to the next multiple of the interval behind now; how often it has passed. It stays
  // as it is, and 0, before its time or without an interval. `ahead`: behind the moment so far from now.
  uint64_t forward(uint64_t ahead = 0);
  void start();  // again, towards the expiry that forward() left

  bool is_armed() const { return armed_; }  // has an expiry, which may have passed
  int clock() const { return clock_; }
  uint64_t expiry() const { return expiry_; }
  uint64_t interval() const { return interval_; }
  uint64_t remaining() const;  // 0: it has passed

 private:
  static void look(Timer& timer);

  int clock_;
  Expired expired_;
  uint64_t expiry_ = kNoDeadline, interval_ = 0;
  bool armed_ = false;
};

}  // namespace kernel::linux
