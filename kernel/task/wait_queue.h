// Who wants to be told when something changes: threads that wait for it, and whoever passes the news on (epoll).
#pragma once

#include <cstdint>

namespace kernel {

class WaitQueue;

// What the news is about: bits of poll(2), so that who asked for other events is not told (epoll's edges).
inline constexpr uint16_t kAnyNews = 0xFFFF;

// One registration; it lives on the stack of the thread that waits, or in the object that passes the news on.
class Waiter {
 public:
  // Called with interrupts off; may leave the queue, must not wait.
  using Notify = void (*)(Waiter& waiter, uint16_t news);
  explicit Waiter(Notify notify) : notify_(notify) {}
  ~Waiter() { leave(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  void leave();  // not in a queue: nothing
  bool is_in_queue() const { return queue_ != nullptr; }

 private:
  friend class WaitQueue;
  Notify notify_;
  WaitQueue* queue_ = nullptr;
  Waiter *next_ = nullptr, *previous_ = nullptr;
};

class WaitQueue {
 public:
  WaitQueue() = default;
  ~WaitQueue();  // whoever still waits is told and taken out
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;
  void add(Waiter& waiter);                   // at the end
  void notify_all(uint16_t news = kAnyNews);  // in the order they came; from interrupt handlers too
  bool is_empty() const { return first_ == nullptr; }

 private:
  friend class Waiter;
  Waiter *first_ = nullptr, *last_ = nullptr;
};

}  // namespace kernel
