#include "kernel/task/wait_queue.h"

#include "kernel/arch/x86_64/interrupt_guard.h"

namespace kernel {

void Waiter::leave() {
  InterruptGuard guard;
  if (queue_ == nullptr) return;
  (previous_ != nullptr ? previous_->next_ : queue_->first_) = next_;
  (next_ != nullptr ? next_->previous_ : queue_->last_) = previous_;
  queue_ = nullptr;
  next_ = previous_ = nullptr;
}

void WaitQueue::add(Waiter& waiter) {
  InterruptGuard guard;
  waiter.queue_ = this;
  waiter.previous_ = last_;
  waiter.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &waiter;
  last_ = &waiter;
}

void WaitQueue::notify_all(uint16_t news) {
  InterruptGuard guard;
  for (Waiter* waiter = first_; waiter != nullptr;) {
    Waiter* next = waiter->next_;
    waiter->notify_(*waiter, news);
    waiter = next;
  }
}

WaitQueue::~WaitQueue() {
  notify_all();
  while (first_ != nullptr) first_->leave();
}

}  // namespace kernel
