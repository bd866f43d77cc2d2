// The waiters of all futexes, by the word they wait at, in the order they came.
#pragma once

#include <cstdint>

#include "kernel/linux/app.h"

namespace kernel::linux {

// What makes two futex calls meet: the address, or for a word in shared memory the physical one.
struct FutexKey {
  uint64_t word = 0;
  bool operator==(const FutexKey&) const = default;
};

struct FutexWaiter {
  FutexKey key;
  uint32_t bits = ~0u;  // wakers with none of these pass it by
  bool woken = false;
  bool takes_ownership = false;  // waits for a priority-inheritance futex (FUTEX_LOCK_PI)
  uint32_t owner = 0;            // of such a futex, as its word says
  uint64_t address = 0;          // of its word
  AppThread* thread = nullptr;
  FutexWaiter *next = nullptr, *previous = nullptr;
};

// All with no thread switch in between: kernel code runs alone until it waits.
void futex_enqueue(FutexWaiter& waiter);
void futex_dequeue(FutexWaiter& waiter);  // one that was woken is out already
FutexWaiter* futex_first(const FutexKey& key);
FutexWaiter* futex_next(const FutexWaiter& waiter);  // at the same word
void futex_move(FutexWaiter& waiter, const FutexKey& key);
void futex_wake_one(FutexWaiter& waiter);
FutexWaiter* futex_waiting_for_owner(uint32_t id);  // the first of those who wait for that thread's futexes

}  // namespace kernel::linux
