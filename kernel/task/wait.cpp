#include "kernel/task/wait.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"

namespace kernel {
namespace {

WaitHooks g_hooks{};
uint64_t g_waited_ns = 0;

}  // namespace

void set_wait_hooks(const WaitHooks& hooks) {
  g_hooks = hooks;
}

uint64_t waited_ns() {
  return g_waited_ns;
}

WaitResult wait_until(bool (*condition)(void* context), void* context, uint64_t deadline_ns, uint64_t poll_ns) {
  const uint64_t started = monotonic_ns();
  InterruptGuard guard;
  WaitResult result;
  while (true) {
    if (condition(context)) {
      result = WaitResult::Done;
      break;
    }
    if (g_hooks.signal_is_waiting()) {
      result = WaitResult::Signal;
      break;
    }
    const uint64_t now = monotonic_ns();
    if (now >= deadline_ns) {
      result = WaitResult::Deadline;
      break;
    }
    uint64_t wake = deadline_ns;
    if (const uint64_t timer = g_hooks.next_timer(); timer < wake) wake = timer;
    if (poll_ns != 0 && now + poll_ns < wake) wake = now + poll_ns;
    if (wake != kNoDeadline) arm_timer(wake);
    wait_for_interrupt();
  }
  // Arming moved the one-shot timer: what the app's own timers want stands again.
  if (const uint64_t timer = g_hooks.next_timer(); timer != kNoDeadline) arm_timer(timer);
  g_waited_ns += monotonic_ns() - started;
  return result;
}

}  // namespace kernel
