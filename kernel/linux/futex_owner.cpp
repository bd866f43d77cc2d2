#include "kernel/linux/futex_owner.h"

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/linux/futex.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

constexpr uint32_t kWaiters = 0x80000000, kOwnerDied = 0x40000000, kOwnerMask = 0x3fffffff;  // linux/futex.h

FutexWaiter* first_heir(const FutexKey& key) {
  FutexWaiter* waiter = futex_first(key);
  while (waiter != nullptr && !waiter->takes_ownership) waiter = futex_next(*waiter);
  return waiter;
}

// The word as it is while the futex belongs to `heir`, the first who waits; out of the queue and awake.
Result<void> hand_over(uint64_t address, FutexWaiter& heir, uint32_t died) {
  bool more = false;
  for (FutexWaiter* each = futex_next(heir); each != nullptr; each = futex_next(*each)) {
    if (!each->takes_ownership) continue;
    more = true;
    each->owner = heir.thread->id;
  }
  TRY(write_user(address, heir.thread->id | (more ? kWaiters : 0) | died));
  futex_wake_one(heir);
  return {};
}

// True: it is ours now.
Result<bool> take_if_free(uint64_t address, const FutexKey& key, uint32_t word) {
  if ((word & kOwnerMask) == current().id) return Error::Deadlock;
  if ((word & kOwnerMask) != 0) return false;
  const uint32_t waiters = first_heir(key) != nullptr ? kWaiters : 0;
  TRY(write_user(address, current().id | waiters | (word & kOwnerDied)));
  return true;
}

}  // namespace

Result<uint64_t> lock_owner_futex(uint64_t address, const FutexKey& key, uint64_t deadline_ns) {
  const auto word = TRY(read_user<uint32_t>(address));
  if (TRY(take_if_free(address, key, word))) return 0;
  if (find_thread(word & kOwnerMask) == nullptr) return Error::NoProcess;
  TRY(write_user(address, word | kWaiters));
  FutexWaiter waiter{
      .key = key, .takes_ownership = true, .owner = word & kOwnerMask, .address = address, .thread = &current()};
  futex_enqueue(waiter);
  const WaitResult result = wait_for([&] { return waiter.woken; }, deadline_ns);
  futex_dequeue(waiter);
  if (result == WaitResult::Done) return 0;
  return result == WaitResult::Deadline ? Error::TimedOut : Error::RestartNoInterrupt;
}

Result<uint64_t> try_lock_owner_futex(uint64_t address, const FutexKey& key) {
  if (TRY(take_if_free(address, key, TRY(read_user<uint32_t>(address))))) return 0;
  return Error::Again;
}

Result<uint64_t> unlock_owner_futex(uint64_t address, const FutexKey& key) {
  if ((TRY(read_user<uint32_t>(address)) & kOwnerMask) != current().id) return Error::NotPermitted;
  if (FutexWaiter* heir = first_heir(key))
    TRY(hand_over(address, *heir, 0));
  else
    TRY(write_user(address, uint32_t{0}));
  return 0;
}

namespace {

// Linux: handle_futex_death. An entry whose thread does not own it is left alone.
void release_robust(uint64_t entry, int64_t offset, uint32_t id) {
  constexpr uint64_t kOwnerFutex = 1;  // bit 0 of a pointer in the list
  const uint64_t address = (entry & ~kOwnerFutex) + static_cast<uint64_t>(offset);
  auto key = futex_key(address, false), key_private = futex_key(address, true);
  auto word = read_user<uint32_t>(address);
  if (key.is_error() || key_private.is_error() || word.is_error() || (word.value() & kOwnerMask) != id) return;
  if ((entry & kOwnerFutex) != 0) {
    FutexWaiter* heir = first_heir(key.value());
    if (heir == nullptr) heir = first_heir(key_private.value());
    if (heir != nullptr) {
      (void)hand_over(address, *heir, kOwnerDied).is_error();
      return;
    }
  }
  if (write_user(address, (word.value() & kWaiters) | kOwnerDied).is_error()) return;
  if ((entry & kOwnerFutex) == 0 && (word.value() & kWaiters) != 0) wake_futex_shared(address, 1);
}

}  // namespace

namespace {

void release_robust_list(AppThread& thread) {
  struct Head {  // struct robust_list_head
    uint64_t first;
    int64_t offset;
    uint64_t pending;
  };
  if (thread.robust_list == 0) return;
  auto head = read_user<Head>(thread.robust_list);
  if (head.is_error()) return;
  const Head list = head.value();
  constexpr int kLimit = 2048;  // ROBUST_LIST_LIMIT: the list is the app's and may be a circle
  uint64_t entry = list.first;
  for (int count = 0; count < kLimit && (entry & ~uint64_t{1}) != thread.robust_list; ++count) {
    auto next = read_user<uint64_t>(entry & ~uint64_t{1});
    if (entry != list.pending) release_robust(entry, list.offset, thread.id);
    if (next.is_error()) return;
    entry = next.value();
  }
  if (list.pending != 0) release_robust(list.pending, list.offset, thread.id);
}

}  // namespace

void release_futexes(AppThread& thread) {
  release_robust_list(thread);
  // Whoever still waits for a futex of this thread gets it, listed or not (Linux: exit_pi_state_list); musl rests on
  // it.
  while (FutexWaiter* heir = futex_waiting_for_owner(thread.id))
    if (hand_over(heir->address, *heir, kOwnerDied).is_error()) futex_wake_one(*heir);  // its memory is gone
}

}  // namespace kernel::linux
