// Every blocking call waits here: for its condition, a signal, or a deadline, whichever comes first.
#pragma once

#include <cstdint>

#include "kernel/task/scheduler.h"
#include "kernel/task/wait_queue.h"

namespace kernel {

enum class WaitResult : uint8_t { Done, Signal, Deadline };

// The running thread, to be woken by a queue.
class ThreadWaiter : public Waiter {
 public:
  ThreadWaiter()
      : Waiter([](Waiter& self, uint16_t) { wake(static_cast<ThreadWaiter&>(self).thread_); }),
        thread_(*g_current_thread) {}

 private:
  Thread& thread_;
};

// `condition` is asked with interrupts off, when the thread was woken (by a queue in which the caller put a
// ThreadWaiter, by a signal) and at least every `poll_ns` (the console makes no interrupt; 0: not). It must not wait.
WaitResult wait_until(bool (*condition)(void* context), void* context, uint64_t deadline_ns, uint64_t poll_ns);

template <typename Condition>
WaitResult wait_for(Condition condition, uint64_t deadline_ns = kNoDeadline, uint64_t poll_ns = 0) {
  return wait_until([](void* context) { return (*static_cast<Condition*>(context))(); }, &condition, deadline_ns,
                    poll_ns);
}
// For something that `queue` tells about.
template <typename Condition>
WaitResult wait_on(WaitQueue& queue, Condition condition, uint64_t deadline_ns = kNoDeadline) {
  ThreadWaiter waiter;
  queue.add(waiter);
  return wait_for(condition, deadline_ns);
}
// For nothing but a signal or the deadline.
inline WaitResult wait_until_deadline(uint64_t deadline_ns) {
  return wait_for([] { return false; }, deadline_ns);
}

// Work that is cheaper done once for many calls (telling a card of frames) is put off while the program still has
// events in hand, each of which brings more of it. It is done before a thread waits, and by its owner after a moment at
// the latest.
extern unsigned g_events_in_hand;  // that the last wait for events gave the program
extern bool g_work_is_put_off;
void set_put_off_work(void (*work)());
void do_put_off_work();

// Whether something is there that ends the running thread's wait: a signal, a debugger's stop (linux/ says).
void set_interruption_check(bool (*is_interrupted)());

}  // namespace kernel
