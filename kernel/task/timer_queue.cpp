#include "kernel/task/timer_queue.h"

namespace kernel {

// Both are roots; either may be null.
Timer* TimerQueue::meld(Timer* left, Timer* right) {
  if (left == nullptr) return right;
  if (right == nullptr) return left;
  if (right->deadline_ns < left->deadline_ns) {
    Timer* swapped = left;
    left = right;
    right = swapped;
  }
  right->previous = left;
  right->sibling = left->child;
  if (left->child != nullptr) left->child->previous = right;
  left->child = right;
  return left;
}

// In pairs from the left, the pairs from the right: what keeps the heap's amortised O(log n).
Timer* TimerQueue::meld_siblings(Timer* first) {
  Timer* pairs = nullptr;  // linked by `sibling`, last pair first
  while (first != nullptr) {
    Timer *left = first, *right = first->sibling;
    first = right != nullptr ? right->sibling : nullptr;
    left->sibling = left->previous = nullptr;
    if (right != nullptr) right->sibling = right->previous = nullptr;
    Timer* pair = meld(left, right);
    pair->sibling = pairs;
    pairs = pair;
  }
  Timer* root = nullptr;
  while (pairs != nullptr) {
    Timer* next = pairs->sibling;
    pairs->sibling = nullptr;
    root = meld(root, pairs);
    pairs = next;
  }
  return root;
}

void TimerQueue::remove(Timer& timer) {
  Timer* rest = meld_siblings(timer.child);
  if (&timer == root_) {
    root_ = rest;
  } else {
    (timer.previous->child == &timer ? timer.previous->child : timer.previous->sibling) = timer.sibling;
    if (timer.sibling != nullptr) timer.sibling->previous = timer.previous;
    root_ = meld(root_, rest);
  }
  timer.child = timer.sibling = timer.previous = nullptr;
  timer.queued = false;
}

void TimerQueue::set(Timer& timer, uint64_t deadline_ns) {
  if (timer.queued) {
    if (timer.deadline_ns == deadline_ns) return;
    remove(timer);
  }
  timer.deadline_ns = deadline_ns;
  if (deadline_ns == kNoDeadline) return;
  timer.queued = true;
  root_ = meld(root_, &timer);
}

void TimerQueue::cancel(Timer& timer) {
  if (timer.queued) remove(timer);
  timer.deadline_ns = kNoDeadline;
}

void TimerQueue::run(uint64_t now_ns) {
  while (root_ != nullptr && root_->deadline_ns <= now_ns) {
    Timer& due = *root_;
    remove(due);
    due.fire(due);
  }
}

}  // namespace kernel
