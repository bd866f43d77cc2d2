#include "kernel/linux/app_timers.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/signals.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {

constinit RealTimer g_real_timer;

namespace {

void real_timer_fired(Timer& timer) {
  raise_signal(kSigAlrm, kCodeKernel);
  const uint64_t interval = g_real_timer.interval_ns;
  if (interval == 0) {
    timer.deadline_ns = kNoDeadline;
    return;
  }
  const uint64_t missed = (monotonic_ns() - timer.deadline_ns) / interval + 1;
  set_timer(timer, add_saturated(timer.deadline_ns, missed * interval));
}

}  // namespace

void set_real_timer(uint64_t delay_ns, uint64_t interval_ns) {
  InterruptGuard guard;
  g_real_timer.fire = real_timer_fired;
  g_real_timer.interval_ns = interval_ns;
  set_timer(g_real_timer, delay_ns == 0 ? kNoDeadline : add_saturated(monotonic_ns(), delay_ns));
}

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr int kTimerReal = 0, kTimerVirtual = 1, kTimerProfile = 2;  // ITIMER_*

struct IntervalTimer {  // struct itimerval
  TimeValue interval, value;
};

IntervalTimer current_setting() {
  IntervalTimer out{};
  if (g_real_timer.deadline_ns == kNoDeadline) return out;
  const uint64_t now = monotonic_ns();
  uint64_t left = g_real_timer.deadline_ns > now ? (g_real_timer.deadline_ns - now + 999) / 1000 : 1;
  out.value = {static_cast<int64_t>(left / 1'000'000), static_cast<int64_t>(left % 1'000'000)};
  out.interval = {static_cast<int64_t>(g_real_timer.interval_ns / kSecond),
                  static_cast<int64_t>(g_real_timer.interval_ns % kSecond / 1000)};
  return out;
}

Result<uint64_t> nanoseconds(const TimeValue& value) {
  if (value.seconds < 0 || value.microseconds < 0 || value.microseconds >= 1'000'000) return Error::Invalid;
  if (static_cast<uint64_t>(value.seconds) > kNoDeadline / kSecond - 1) return kNoDeadline;
  return static_cast<uint64_t>(value.seconds) * kSecond + static_cast<uint64_t>(value.microseconds) * 1000;
}

}  // namespace

MORTEM_CALL(getitimer) {
  if (argument.number(0) < kTimerReal || argument.number(0) > kTimerProfile) return Error::Invalid;
  TRY(write_user(argument[1], argument.number(0) == kTimerReal ? current_setting() : IntervalTimer{}));
  return 0;
}

MORTEM_CALL(setitimer) {
  if (argument.number(0) < kTimerReal || argument.number(0) > kTimerProfile) return Error::Invalid;
  const auto wanted = argument[1] != 0 ? TRY(read_user<IntervalTimer>(argument[1])) : IntervalTimer{};
  const uint64_t delay = TRY(nanoseconds(wanted.value));
  const uint64_t interval = TRY(nanoseconds(wanted.interval));
  if (argument.number(0) != kTimerReal) return Error::NotSupported;  // no timers of CPU time
  const IntervalTimer old = current_setting();
  set_real_timer(delay, interval);
  if (argument[2] != 0) TRY(write_user(argument[2], old));
  return 0;
}

MORTEM_CALL(alarm) {
  const IntervalTimer old = current_setting();
  set_real_timer(static_cast<uint32_t>(argument[0]) * kSecond, 0);
  uint64_t seconds = static_cast<uint64_t>(old.value.seconds);
  if ((seconds == 0 && old.value.microseconds != 0) || old.value.microseconds >= 500'000) ++seconds;
  return seconds;
}

}  // namespace kernel::linux
