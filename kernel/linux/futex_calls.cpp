// futex(2): wait, wake, requeue, wake-op.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/futex.h"
#include "kernel/linux/futex_owner.h"
#include "kernel/linux/futex_table.h"
#include "kernel/task/address_space.h"
#include "kernel/task/user_pages.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

// linux/futex.h
constexpr int kWait = 0, kWake = 1, kRequeue = 3, kCompareRequeue = 4, kWakeOperation = 5, kLockOwner = 6,
              kUnlockOwner = 7, kTryLockOwner = 8, kWaitBitset = 9, kWakeBitset = 10, kLockOwner2 = 13;
constexpr int kPrivate = 128, kRealtimeClock = 256, kCommandMask = ~(kPrivate | kRealtimeClock);
constexpr uint32_t kAnyBits = ~0u;

uint64_t wake_waiters(const FutexKey& key, uint64_t count, uint32_t bits) {
  uint64_t woken = 0;
  for (FutexWaiter* waiter = futex_first(key); waiter != nullptr && woken < count;) {
    FutexWaiter* next = futex_next(*waiter);
    if ((waiter->bits & bits) != 0 && !waiter->takes_ownership) {
      futex_wake_one(*waiter);
      ++woken;
    }
    waiter = next;
  }
  return woken;
}

// `count` is an int in Linux: at least one is woken, whatever it says.
uint64_t wake_count(uint64_t argument) {
  const auto count = static_cast<int32_t>(argument);
  return count < 1 ? 1 : static_cast<uint64_t>(count);
}

Result<uint64_t> wait_at(const Restart& wait) {
  const FutexKey key = TRY(futex_key(wait.futex, wait.futex_private));
  if (TRY(read_user<uint32_t>(wait.futex)) != wait.futex_value) return Error::Again;
  FutexWaiter waiter{.key = key, .bits = wait.futex_bits, .thread = &current()};
  futex_enqueue(waiter);
  const WaitResult result = wait_for([&] { return waiter.woken; }, wait.deadline_ns);
  futex_dequeue(waiter);
  if (result == WaitResult::Done) return 0;
  if (result == WaitResult::Deadline) return Error::TimedOut;
  if (wait.deadline_ns == kNoDeadline) return Error::RestartSystem;
  current().restart = wait;  // with the same end, however often it is interrupted
  return Error::RestartBlock;
}

Result<uint64_t> absolute_deadline(uint64_t user_time, bool wall_clock) {
  const uint64_t time = TRY(read_user_duration(user_time));
  if (!wall_clock) return time;
  const uint64_t now = monotonic_ns();
  const auto wall = static_cast<uint64_t>(wall_clock_ns());
  return time > wall ? add_saturated(now, time - wall) : now;
}

Result<uint64_t> wait_deadline(int command, uint64_t user_time, bool wall_clock) {
  if (user_time == 0) return kNoDeadline;
  if (command == kWait) return add_saturated(monotonic_ns(), TRY(read_user_duration(user_time)));
  return absolute_deadline(user_time, wall_clock);
}

Result<uint64_t> requeue(const FutexKey& from, const FutexKey& to, uint64_t wake, uint64_t move) {
  uint64_t done = wake_waiters(from, wake, kAnyBits), moved = 0;
  if (from == to) return done;
  for (FutexWaiter* waiter = futex_first(from); waiter != nullptr && moved < move; ++moved) {
    FutexWaiter* next = futex_next(*waiter);
    futex_move(*waiter, to);
    waiter = next;
  }
  return done + moved;
}

// FUTEX_WAKE_OP: changes the second word, wakes at the first, and at the second if its old value compares.
Result<uint64_t> wake_operation(const FutexKey& first, const FutexKey& second, const Arguments& argument) {
  const auto code = static_cast<uint32_t>(argument[5]);
  constexpr uint32_t kShifted = 8;
  const uint32_t operation = code >> 28, compare = code >> 24 & 15;
  auto operand = static_cast<int32_t>(code << 8) >> 20;
  const int32_t wanted = static_cast<int32_t>(code << 20) >> 20;
  if ((operation & kShifted) != 0) operand = static_cast<int32_t>(1u << (operand & 31));
  const auto old = TRY(read_user<int32_t>(argument[4]));
  int32_t fresh;
  switch (operation & 7) {
    case 0:
      fresh = operand;
      break;
    case 1:
      fresh = static_cast<int32_t>(static_cast<uint32_t>(old) + static_cast<uint32_t>(operand));
      break;
    case 2:
      fresh = old | operand;
      break;
    case 3:
      fresh = old & ~operand;
      break;
    case 4:
      fresh = old ^ operand;
      break;
    default:
      return Error::NoSyscall;
  }
  bool holds;
  switch (compare) {
    case 0:
      holds = old == wanted;
      break;
    case 1:
      holds = old != wanted;
      break;
    case 2:
      holds = old < wanted;
      break;
    case 3:
      holds = old <= wanted;
      break;
    case 4:
      holds = old > wanted;
      break;
    case 5:
      holds = old >= wanted;
      break;
    default:
      return Error::NoSyscall;
  }
  TRY(write_user(argument[4], fresh));
  uint64_t woken = wake_waiters(first, wake_count(argument[2]), kAnyBits);
  if (holds) woken += wake_waiters(second, wake_count(argument[3]), kAnyBits);
  return woken;
}

}  // namespace

Result<FutexKey> futex_key(uint64_t address, bool is_private) {
  if (address % sizeof(uint32_t) != 0) return Error::Invalid;
  if (address >= kUserEnd) return Error::Fault;
  if (is_private) return FutexKey{address};
  const AreaList& areas = address_space().areas;
  const size_t index = areas.first_ending_after(address);
  if (index >= areas.size() || areas.at(index).start > address) return Error::Fault;
  if (!areas.at(index).shared) return FutexKey{address};
  // The same page may be mapped at two places; it stays where it is as long as it is mapped.
  (void)TRY(read_user<uint32_t>(address));
  const uint64_t* entry = user_page_entry(address);
  if (entry == nullptr) return Error::Fault;
  constexpr uint64_t kAddressMask = 0x000f'ffff'ffff'f000, kPhysical = uint64_t{1} << 63;
  return FutexKey{kPhysical | (*entry & kAddressMask) | address % kPageSize};
}

Result<uint64_t> restart_futex_wait(const Restart& restart) {
  return wait_at(restart);
}

void wake_futex_shared(uint64_t address, uint32_t count) {
  auto key = futex_key(address, false);
  if (key) (void)wake_waiters(key.value(), count, kAnyBits);
}

MORTEM_CALL(futex) {
  const int command = argument.number(1) & kCommandMask;
  const bool is_private = (argument.number(1) & kPrivate) != 0, wall_clock = (argument.number(1) & kRealtimeClock) != 0;
  if (wall_clock && command != kWaitBitset && command != kLockOwner2) return Error::NoSyscall;
  switch (command) {
    case kWait:
    case kWaitBitset: {
      const uint32_t bits = command == kWait ? kAnyBits : static_cast<uint32_t>(argument[5]);
      if (bits == 0) return Error::Invalid;
      return wait_at({.kind = Restart::Kind::Futex,
                      .deadline_ns = TRY(wait_deadline(command, argument[3], wall_clock)),
                      .futex = argument[0],
                      .futex_value = static_cast<uint32_t>(argument[2]),
                      .futex_bits = bits,
                      .futex_private = is_private});
    }
    case kWake:
    case kWakeBitset: {
      const uint32_t bits = command == kWake ? kAnyBits : static_cast<uint32_t>(argument[5]);
      if (bits == 0) return Error::Invalid;
      return wake_waiters(TRY(futex_key(argument[0], is_private)), wake_count(argument[2]), bits);
    }
    case kRequeue:
    case kCompareRequeue: {
      const auto wake = static_cast<int32_t>(argument[2]), move = static_cast<int32_t>(argument[3]);
      if (wake < 0 || move < 0) return Error::Invalid;
      const FutexKey from = TRY(futex_key(argument[0], is_private)), to = TRY(futex_key(argument[4], is_private));
      if (command == kCompareRequeue && TRY(read_user<uint32_t>(argument[0])) != static_cast<uint32_t>(argument[5]))
        return Error::Again;
      return requeue(from, to, static_cast<uint64_t>(wake), static_cast<uint64_t>(move));
    }
    case kWakeOperation:
      return wake_operation(TRY(futex_key(argument[0], is_private)), TRY(futex_key(argument[4], is_private)), argument);
    case kLockOwner:
    case kLockOwner2: {
      // FUTEX_LOCK_PI always counts by the wall clock, FUTEX_LOCK_PI2 only if it is told to.
      const bool by_wall = command == kLockOwner || wall_clock;
      const uint64_t deadline = argument[3] == 0 ? kNoDeadline : TRY(absolute_deadline(argument[3], by_wall));
      return lock_owner_futex(argument[0], TRY(futex_key(argument[0], is_private)), deadline);
    }
    case kTryLockOwner:
      return try_lock_owner_futex(argument[0], TRY(futex_key(argument[0], is_private)));
    case kUnlockOwner:
      return unlock_owner_futex(argument[0], TRY(futex_key(argument[0], is_private)));
    default:
      return Error::NoSyscall;
  }
}

}  // namespace kernel::linux
