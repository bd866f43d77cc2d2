// setitimer(2) and alarm(2): a timer of the real time, and two of the process's CPU time. ITIMER_VIRTUAL should count
// the program's own time and ITIMER_PROF the kernel's as well; the two are not told apart here, both count all of it.
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/clocks.h"
#include "kernel/linux/signals.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kSecond = 1'000'000'000, kMicrosecond = 1000;
// A shorter interval would leave the program no time between two signals.
constexpr uint64_t kLeastInterval = 100 * kMicrosecond;
constexpr int kTimerCount = 3;  // ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF

struct IntervalTimer : ClockTimer {
  constexpr IntervalTimer(int clock, int its_signal) : ClockTimer(clock, expired), signal(its_signal) {}
  static void expired(ClockTimer& timer) {
    raise_signal(static_cast<IntervalTimer&>(timer).signal, kCodeKernel);
    if (timer.interval() == 0) {
      timer.disarm();
      return;
    }
    (void)timer.forward(kLeastInterval);
    timer.start();
  }
  int signal;
};

constexpr int kSigVirtualAlarm = 26, kSigProfile = 27;
constinit IntervalTimer g_real(kClockMonotonic, kSigAlrm), g_virtual(kClockProcess, kSigVirtualAlarm),
    g_profile(kClockProcess, kSigProfile);
constinit IntervalTimer* const kTimers[kTimerCount] = {&g_real, &g_virtual, &g_profile};

struct TimerSetting {  // struct itimerval
  TimeValue interval, value;
};

TimeValue time_value(uint64_t nanoseconds) {
  const uint64_t microseconds = nanoseconds / kMicrosecond;
  return {static_cast<int64_t>(microseconds / 1'000'000), static_cast<int64_t>(microseconds % 1'000'000)};
}

TimerSetting setting_of(const IntervalTimer& timer) {
  InterruptGuard guard;
  if (!timer.is_armed()) return {};
  // One that is set never shows nothing left.
  const uint64_t left = timer.remaining();
  return {time_value(timer.interval()), time_value(left < kMicrosecond ? kMicrosecond : left)};
}

Result<IntervalTimer*> timer_at(int number) {
  if (number < 0 || number >= kTimerCount) return Error::Invalid;
  return kTimers[number];
}

void set_timer_to(IntervalTimer& timer, uint64_t delay, uint64_t interval) {
  InterruptGuard guard;
  if (delay == 0)
    timer.disarm();
  else
    timer.arm(add_saturated(clock_now(timer.clock()).value(), delay), interval);
}

Result<uint64_t> nanoseconds(const TimeValue& value) {
  if (value.microseconds < 0 || value.microseconds >= 1'000'000) return Error::Invalid;
  return duration_of({value.seconds, value.microseconds * static_cast<int64_t>(kMicrosecond)});
}

}  // namespace

MORTEM_CALL(getitimer) {
  TRY(write_user(argument[1], setting_of(*TRY(timer_at(argument.number(0))))));
  return 0;
}

MORTEM_CALL(setitimer) {
  IntervalTimer& timer = *TRY(timer_at(argument.number(0)));
  const auto wanted = argument[1] != 0 ? TRY(read_user<TimerSetting>(argument[1])) : TimerSetting{};
  const uint64_t delay = TRY(nanoseconds(wanted.value)), interval = TRY(nanoseconds(wanted.interval));
  const TimerSetting old = setting_of(timer);
  set_timer_to(timer, delay, interval);
  if (argument[2] != 0) TRY(write_user(argument[2], old));
  return 0;
}

MORTEM_CALL(alarm) {
  const TimerSetting old = setting_of(g_real);
  set_timer_to(g_real, static_cast<uint32_t>(argument[0]) * kSecond, 0);
  auto seconds = static_cast<uint64_t>(old.value.seconds);
  if ((seconds == 0 && old.value.microseconds != 0) || old.value.microseconds >= 500'000) ++seconds;
  return seconds;
}

}  // namespace kernel::linux
