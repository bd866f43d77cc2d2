// futex(2) of one thread: a wait ends by a signal or its timeout, because nobody is there to wake it.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/calls.h"
#include "kernel/task/wait.h"

namespace kernel::linux {

MORTEM_CALL(futex) {
  constexpr int kWait = 0, kWake = 1, kRequeue = 3, kCompareRequeue = 4, kWaitBitset = 9, kWakeBitset = 10,
                kCommandMask = 127, kRealtimeClock = 256;
  if (argument[0] % 4 != 0) return Error::Invalid;
  const int command = argument.number(1) & kCommandMask;
  switch (command) {
    case kWait:
    case kWaitBitset: {
      if (command == kWaitBitset && static_cast<uint32_t>(argument[5]) == 0) return Error::Invalid;
      uint64_t deadline = kNoDeadline;
      if (argument[3] != 0) {
        const uint64_t time = TRY(read_user_duration(argument[3]));
        const uint64_t now = monotonic_ns();
        if (command == kWait) {
          deadline = add_saturated(now, time);
        } else if ((argument.number(1) & kRealtimeClock) != 0) {
          const auto wall = static_cast<uint64_t>(wall_clock_ns());
          deadline = time > wall ? add_saturated(now, time - wall) : now;
        } else {
          deadline = time;
        }
      }
      const auto expected = static_cast<uint32_t>(argument[2]);
      if (TRY(read_user<uint32_t>(argument[0])) != expected) return Error::Again;
      if (wait_for([] { return false; }, deadline) == WaitResult::Deadline) return Error::TimedOut;
      return argument[3] == 0 ? Error::RestartSystem : Error::RestartNoHandler;
    }
    case kWake:
    case kWakeBitset:
    case kRequeue:
      (void)TRY(read_user<uint32_t>(argument[0]));
      return 0;
    case kCompareRequeue:
      if (TRY(read_user<uint32_t>(argument[0])) != static_cast<uint32_t>(argument[5])) return Error::Again;
      return 0;
    default:
      return Error::NoSyscall;
  }
}

}  // namespace kernel::linux
