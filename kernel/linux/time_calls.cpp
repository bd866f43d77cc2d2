// Clocks and sleeping.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/clocks.h"
#include "kernel/linux/futex.h"
#include "kernel/linux/signals.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

Result<uint64_t> sleep_until(uint64_t deadline_ns, uint64_t remaining_user) {
  if (wait_until_deadline(deadline_ns) == WaitResult::Deadline) return 0;
  if (remaining_user != 0) {
    const uint64_t now = monotonic_ns();
    TRY(write_user(remaining_user, time_specification(deadline_ns > now ? deadline_ns - now : 0)));
  }
  current().restart = {.kind = Restart::Kind::Sleep, .deadline_ns = deadline_ns, .remaining_user = remaining_user};
  return Error::RestartBlock;
}

}  // namespace

TimeSpecification time_specification(uint64_t nanoseconds) {
  return {static_cast<int64_t>(nanoseconds / kSecond), static_cast<int64_t>(nanoseconds % kSecond)};
}

uint64_t add_saturated(uint64_t left, uint64_t right) {
  return left > kNoDeadline - right ? kNoDeadline : left + right;
}

Result<uint64_t> duration_of(const TimeSpecification& time) {
  if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= static_cast<int64_t>(kSecond))
    return Error::Invalid;
  if (static_cast<uint64_t>(time.seconds) >= kNoDeadline / kSecond) return kNoDeadline;
  return static_cast<uint64_t>(time.seconds) * kSecond + static_cast<uint64_t>(time.nanoseconds);
}

Result<uint64_t> read_user_duration(uint64_t address) {
  return duration_of(TRY(read_user<TimeSpecification>(address)));
}

Error repeat_until(uint64_t deadline_ns, Result<uint64_t> (*repeat)(const Arguments&, uint64_t)) {
  current().restart = {.kind = Restart::Kind::Repeat, .deadline_ns = deadline_ns, .repeat = repeat};
  return Error::RestartBlock;
}

MORTEM_CALL(nanosleep) {
  return sleep_until(add_saturated(monotonic_ns(), TRY(read_user_duration(argument[0]))), argument[1]);
}

MORTEM_CALL(clock_nanosleep) {
  constexpr uint64_t kAbsolute = 1;
  const int clock = argument.number(0);
  if (clock == kClockThread) return Error::Invalid;
  const uint64_t clock_value = TRY(clock_now(clock));
  const uint64_t wanted = TRY(read_user_duration(argument[2]));
  if ((argument[1] & kAbsolute) == 0) return sleep_until(add_saturated(monotonic_ns(), wanted), argument[3]);
  if (wanted <= clock_value) return 0;
  const uint64_t deadline = add_saturated(monotonic_ns(), wanted - clock_value);
  if (wait_until_deadline(deadline) == WaitResult::Deadline) return 0;
  return Error::RestartNoHandler;
}

MORTEM_CALL(restart_syscall) {
  const Restart restart = current().restart;
  current().restart = {};
  switch (restart.kind) {
    case Restart::Kind::Sleep:
      return sleep_until(restart.deadline_ns, restart.remaining_user);
    case Restart::Kind::Futex:
      return restart_futex_wait(restart);
    case Restart::Kind::Repeat:
      return restart.repeat(argument, restart.deadline_ns);
    case Restart::Kind::None:
      break;
  }
  return Error::Interrupted;
}

MORTEM_CALL(clock_gettime) {
  TRY(write_user(argument[1], time_specification(TRY(clock_now(argument.number(0))))));
  return 0;
}

MORTEM_CALL(clock_getres) {
  (void)TRY(clock_now(argument.number(0)));
  if (argument[1] != 0) TRY(write_user(argument[1], TimeSpecification{0, 1}));
  return 0;
}

MORTEM_CALL(gettimeofday) {
  const auto now = static_cast<uint64_t>(wall_clock_ns());
  if (argument[0] != 0)
    TRY(write_user(argument[0],
                   TimeValue{static_cast<int64_t>(now / kSecond), static_cast<int64_t>(now % kSecond / 1000)}));
  if (argument[1] != 0) TRY(write_user(argument[1], uint64_t{0}));  // struct timezone: UTC
  return 0;
}

MORTEM_CALL(time) {
  const uint64_t seconds = static_cast<uint64_t>(wall_clock_ns()) / kSecond;
  if (argument[0] != 0) TRY(write_user(argument[0], seconds));
  return seconds;
}

MORTEM_CALL(times) {
  constexpr uint64_t kTick = kSecond / 100;  // USER_HZ
  const uint64_t now = monotonic_ns();
  // All CPU time counts as the program's own: the kernel does not split it.
  const int64_t times[4] = {static_cast<int64_t>(process_cpu_ns() / kTick), 0, 0, 0};
  if (argument[0] != 0) TRY(copy_to_user(argument[0], times, sizeof times));
  return now / kTick;
}

MORTEM_CALL(getrusage) {
  struct Usage {  // struct rusage
    TimeValue user, system;
    int64_t other[14];
  } usage{};
  const int who = argument.number(0);
  if (who < -1 || who > 1) return Error::Invalid;
  if (who != -1) {  // RUSAGE_CHILDREN: there are none; RUSAGE_THREAD is 1
    const uint64_t used = who == 1 ? thread_cpu_ns(current()) : process_cpu_ns();
    usage.user = {static_cast<int64_t>(used / kSecond), static_cast<int64_t>(used % kSecond / 1000)};
  }
  TRY(write_user(argument[1], usage));
  return 0;
}

}  // namespace kernel::linux
