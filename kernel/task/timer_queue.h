// Moments that something is due at: a heap of timers that live in their owners, so that setting one never allocates.
#pragma once

#include <cstdint>

namespace kernel {

inline constexpr uint64_t kNoDeadline = ~uint64_t{0};

struct Timer {
  uint64_t deadline_ns = kNoDeadline;  // of monotonic_ns()
  void (*fire)(Timer& timer) = nullptr;
  // A pairing heap (Fredman et al. 1986): the first child, and the siblings as a list; `previous` of a first child is
  // its parent.
  Timer *child = nullptr, *sibling = nullptr, *previous = nullptr;
  bool queued = false;
};

// All with interrupts off: interrupt handlers set and cancel timers too.
class TimerQueue {
 public:
  void set(Timer& timer, uint64_t deadline_ns);  // moves one that is set already; kNoDeadline: cancels it
  void cancel(Timer& timer);                     // one that is not set is no error
  uint64_t next_deadline() const { return root_ != nullptr ? root_->deadline_ns : kNoDeadline; }
  // Takes out what is due and calls its `fire`, earliest first; `fire` may set timers again.
  void run(uint64_t now_ns);

 private:
  static Timer* meld(Timer* left, Timer* right);
  static Timer* meld_siblings(Timer* first);
  void remove(Timer& timer);
  Timer* root_ = nullptr;
};

}  // namespace kernel
