#include "kernel/linux/clocks.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

// The CPU time of a process or thread by its id, as pthread_getcpuclockid makes them (linux/posix-timers.h).
constexpr int kPerThread = 4, kClockMask = 3, kFileDescriptor = 3, kScheduled = 2;

Result<uint64_t> cpu_clock_now(int clock) {
  if (clock >= 0 || (clock & kClockMask) == kFileDescriptor) return Error::Invalid;
  const auto id = static_cast<uint32_t>(~(clock >> 3));
  if ((clock & kPerThread) == 0)
    return id == 0 || id == kProcessId ? Result<uint64_t>(process_cpu_ns()) : Error::Invalid;
  const AppThread* thread = id == 0 ? &current() : find_thread(id);
  if (thread == nullptr) return Error::Invalid;
  return thread_cpu_ns(*thread);
}

}  // namespace

Result<uint64_t> clock_now(int clock) {
  switch (clock) {
    case kClockRealtime:
    case kClockRealtimeCoarse:
    case kClockRealtimeAlarm:
    case kClockTai:
      return static_cast<uint64_t>(wall_clock_ns());
    case kClockMonotonic:
    case kClockMonotonicRaw:
    case kClockMonotonicCoarse:
    case kClockBootTime:
    case kClockBootTimeAlarm:
      return monotonic_ns();
    case kClockProcess:
      return process_cpu_ns();
    case kClockThread:
      return thread_cpu_ns(current());
    default:
      return cpu_clock_now(clock);
  }
}

bool is_cpu_clock(int clock) {
  return clock < 0 || clock == kClockProcess || clock == kClockThread;
}

int absolute_clock(int clock) {
  const bool own = clock == kClockThread || (clock < 0 && (clock & kPerThread) != 0 && ~(clock >> 3) == 0);
  if (!own) return clock;
  return static_cast<int>(~current().id << 3) | kPerThread | kScheduled;
}

void ClockTimer::arm(uint64_t expiry, uint64_t interval) {
  InterruptGuard guard;
  expiry_ = expiry;
  interval_ = interval;
  armed_ = true;
  start();
}

void ClockTimer::disarm() {
  InterruptGuard guard;
  cancel_timer(*this);
  armed_ = false;
  expiry_ = kNoDeadline;
  interval_ = 0;
}

void ClockTimer::start() {
  InterruptGuard guard;
  auto now = clock_now(clock_);
  if (now.is_error() || expiry_ == kNoDeadline)  // its thread is gone, or its moment is too far away to come
    cancel_timer(*this);
  else
    set_timer(*this, add_saturated(monotonic_ns(), expiry_ > now.value() ? expiry_ - now.value() : 0));
}

uint64_t ClockTimer::remaining() const {
  auto now = clock_now(clock_);
  return now && armed_ && expiry_ > now.value() ? expiry_ - now.value() : 0;
}

uint64_t ClockTimer::forward(uint64_t ahead) {
  InterruptGuard guard;
  auto now = clock_now(clock_);
  if (!armed_ || interval_ == 0 || now.is_error() || now.value() < expiry_) return 0;
  const uint64_t passed = (now.value() + ahead - expiry_) / interval_ + 1;
  expiry_ = add_saturated(expiry_, passed * interval_);
  return passed;
}

void ClockTimer::look(Timer& timer) {
  auto& self = static_cast<ClockTimer&>(timer);
  auto now = clock_now(self.clock_);
  if (now.is_error()) return;
  if (now.value() < self.expiry_)
    self.start();
  else
    self.expired_(self);
}

}  // namespace kernel::linux
