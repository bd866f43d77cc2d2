#include "kernel/task/wait.h"

#include <cstddef>

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"

namespace kernel {
namespace {

bool (*g_is_interrupted)() = nullptr;
void (*g_put_off_work)() = nullptr;

void deadline_came(Timer& timer) {
  wake(*reinterpret_cast<Thread*>(reinterpret_cast<uint8_t*>(&timer) - offsetof(Thread, wait_timer)));
}

}  // namespace

unsigned g_events_in_hand = 0;
bool g_work_is_put_off = false;

void set_put_off_work(void (*work)()) {
  g_put_off_work = work;
}

void do_put_off_work() {
  if (g_work_is_put_off) g_put_off_work();
}

void set_interruption_check(bool (*is_interrupted)()) {
  g_is_interrupted = is_interrupted;
}

WaitResult wait_until(bool (*condition)(void* context), void* context, uint64_t deadline_ns, uint64_t poll_ns) {
  Thread& self = *g_current_thread;
  do_put_off_work();
  InterruptGuard guard;
  WaitResult result;
  while (true) {
    if (condition(context)) {
      result = WaitResult::Done;
      break;
    }
    if (self.kind == ThreadKind::App && g_is_interrupted()) {
      result = WaitResult::Signal;
      break;
    }
    uint64_t wake_at = deadline_ns;
    if (deadline_ns != kNoDeadline || poll_ns != 0) {
      const uint64_t now = monotonic_ns();
      if (now >= deadline_ns) {
        result = WaitResult::Deadline;
        break;
      }
      if (poll_ns != 0 && now + poll_ns < wake_at) wake_at = now + poll_ns;
    }
    self.wait_timer.fire = deadline_came;
    g_timers.set(self.wait_timer, wake_at);
    self.run_state = RunState::Blocked;
    block_current_thread();
  }
  g_timers.cancel(self.wait_timer);
  return result;
}

}  // namespace kernel
