// Every blocking call waits here: for its condition, a signal, or a deadline, whichever comes first.
#pragma once

#include <cstdint>

namespace kernel {

enum class WaitResult : uint8_t { Done, Signal, Deadline };

inline constexpr uint64_t kNoDeadline = ~uint64_t{0};

// `condition` is asked with interrupts off, so that an interrupt that makes it true cannot slip in between. `poll_ns`:
// ask at least so often even without an interrupt (the console has none); 0: only after interrupts.
WaitResult wait_until(bool (*condition)(void* context), void* context, uint64_t deadline_ns, uint64_t poll_ns);

template <typename Condition>
WaitResult wait_for(Condition condition, uint64_t deadline_ns = kNoDeadline, uint64_t poll_ns = 0) {
  return wait_until([](void* context) { return (*static_cast<Condition*>(context))(); }, &condition, deadline_ns,
                    poll_ns);
}

uint64_t waited_ns();  // how long the app has been waiting in all: its CPU time is the rest

// The Linux ABI tells which moment its timers want and whether a signal is there that ends a wait.
struct WaitHooks {
  uint64_t (*next_timer)();     // kNoDeadline: none
  bool (*signal_is_waiting)();  // also lets timers that have run out raise theirs
};
void set_wait_hooks(const WaitHooks& hooks);

}  // namespace kernel
