#include "kernel/linux/futex_table.h"

#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

struct Bucket {
  FutexWaiter *first = nullptr, *last = nullptr;
};
constexpr size_t kBuckets = 512;
constinit Bucket g_buckets[kBuckets];
size_t g_owner_waiters = 0;  // those that take ownership

Bucket& bucket_of(const FutexKey& key) {
  return g_buckets[(key.word >> 2) * 0x9E3779B97F4A7C15ull >> 55];
}
static_assert(kBuckets == 1 << (64 - 55));

FutexWaiter* same_word(FutexWaiter* from, const FutexKey& key) {
  while (from != nullptr && !(from->key == key)) from = from->next;
  return from;
}

}  // namespace

void futex_enqueue(FutexWaiter& waiter) {
  Bucket& bucket = bucket_of(waiter.key);
  waiter.next = nullptr;
  waiter.previous = bucket.last;
  (bucket.last != nullptr ? bucket.last->next : bucket.first) = &waiter;
  bucket.last = &waiter;
  if (waiter.takes_ownership) ++g_owner_waiters;
}

void futex_dequeue(FutexWaiter& waiter) {
  if (waiter.woken) return;
  Bucket& bucket = bucket_of(waiter.key);
  (waiter.previous != nullptr ? waiter.previous->next : bucket.first) = waiter.next;
  (waiter.next != nullptr ? waiter.next->previous : bucket.last) = waiter.previous;
  if (waiter.takes_ownership) --g_owner_waiters;
}

FutexWaiter* futex_waiting_for_owner(uint32_t id) {
  if (g_owner_waiters == 0) return nullptr;
  for (const Bucket& bucket : g_buckets)
    for (FutexWaiter* waiter = bucket.first; waiter != nullptr; waiter = waiter->next)
      if (waiter->takes_ownership && waiter->owner == id) return waiter;
  return nullptr;
}

FutexWaiter* futex_first(const FutexKey& key) {
  return same_word(bucket_of(key).first, key);
}

FutexWaiter* futex_next(const FutexWaiter& waiter) {
  return same_word(waiter.next, waiter.key);
}

void futex_move(FutexWaiter& waiter, const FutexKey& key) {
  futex_dequeue(waiter);
  waiter.key = key;
  futex_enqueue(waiter);
}

void futex_wake_one(FutexWaiter& waiter) {
  futex_dequeue(waiter);
  waiter.woken = true;
  wake(*waiter.thread);
}

}  // namespace kernel::linux
