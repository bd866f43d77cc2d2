// Who wants to be told when something changes: threads that wait for it, and whoever passes the news on (epoll).
#pragma once

namespace kernel {

class WaitQueue;

// One registration; it lives on the stack of the thread that waits, or in the object that passes the news on.
class Waiter {
 public:
  using Notify = void (*)(Waiter& waiter);  // called with interrupts off; may leave the queue, must not wait
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
  void add(Waiter& waiter);  // at the end
  void notify_all();         // in the order they came; from interrupt handlers too
  bool is_empty() const { return first_ == nullptr; }

 private:
  friend class Waiter;
  Waiter *first_ = nullptr, *last_ = nullptr;
};

}  // namespace kernel
