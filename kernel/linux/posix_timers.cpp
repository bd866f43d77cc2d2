#include "kernel/linux/posix_timers.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/clocks.h"
#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

constexpr int kNotifySignal = 0, kNotifyNone = 1, kNotifyThreadId = 4;  // SIGEV_*; SIGEV_THREAD is the library's
constexpr uint64_t kRetry = 1'000'000;  // how soon a signal that nobody took is tried again

struct SignalEvent {  // struct sigevent
  uint64_t value;
  int32_t signal, notify, thread;
  uint8_t padding[44];
};
static_assert(sizeof(SignalEvent) == 64);

struct TimerSetting {  // struct itimerspec
  TimeSpecification interval, value;
};

struct PosixTimer : ClockTimer {
  PosixTimer(int of_clock, const SignalEvent& how, uint32_t target)
      : ClockTimer(of_clock, expired), event(how), thread(target) {}
  static void expired(ClockTimer& timer);
  void send();

  int32_t id = 0;
  SignalEvent event;
  uint32_t thread;             // 0: the process
  bool signal_queued = false;  // and not taken
  uint64_t missed = 0;         // expirations that were counted while it was queued
  int32_t overrun = 0;         // of the signal that was taken last
  PosixTimer* next = nullptr;
};

PosixTimer* g_first = nullptr;
int32_t g_next_id = 0;

PosixTimer* find_timer(int32_t id) {
  PosixTimer* timer = g_first;
  while (timer != nullptr && timer->id != id) timer = timer->next;
  return timer;
}

void PosixTimer::expired(ClockTimer& timer) {
  auto& self = static_cast<PosixTimer&>(timer);
  if (self.event.notify != kNotifyNone) self.send();
}

void PosixTimer::send() {
  AppThread* target = thread == 0 ? nullptr : find_thread(thread);
  if (thread != 0 && target == nullptr) {
    disarm();
    return;
  }
  SignalInformation information;
  information.signal = event.signal;
  information.code = kCodeTimer;
  information.sender = {id, 0, event.value};
  if (!is_dropped(event.signal, target) && !raise_signal(information, target).is_error()) {
    signal_queued = true;
    return;
  }
  // Ignored, or the queue is full.
  if (interval() == 0) {
    disarm();
    return;
  }
  (void)forward(kRetry);
  start();
}

Result<PosixTimer*> timer_with(int32_t id) {
  PosixTimer* timer = find_timer(id);
  if (timer == nullptr) return Error::Invalid;
  return timer;
}

TimerSetting setting_of(PosixTimer& timer) {
  InterruptGuard guard;
  const bool is_silent = timer.event.notify == kNotifyNone;
  if (timer.interval() != 0 && (timer.signal_queued || is_silent)) timer.missed += timer.forward();
  uint64_t left = timer.remaining();
  // Its signal is on the way: a nanosecond, because nothing would say that it is off.
  if (left == 0 && timer.is_armed() && !is_silent && (timer.interval() != 0 || !timer.signal_queued)) left = 1;
  return {time_specification(timer.interval()), time_specification(left)};
}

void switch_off(PosixTimer& timer) {
  timer.disarm();
  timer.signal_queued = false;
  timer.missed = 0;
  timer.overrun = 0;
  drop_timer_signal(timer.id);
}

}  // namespace

void timer_signal_taken(SignalInformation& information) {
  PosixTimer* timer = find_timer(information.sender.process);
  if (timer == nullptr || !timer->signal_queued) return;
  timer->signal_queued = false;
  if (timer->interval() == 0) {
    timer->disarm();
    timer->overrun = 0;
  } else {
    const uint64_t passed = timer->missed + timer->forward();
    timer->overrun = passed == 0 ? 0 : passed - 1 > INT32_MAX ? INT32_MAX : static_cast<int32_t>(passed - 1);
    timer->missed = 0;
    timer->start();
  }
  information.sender.user = static_cast<uint32_t>(timer->overrun);
}

MORTEM_CALL(timer_create) {
  SignalEvent event{.value = 0, .signal = kSigAlrm, .notify = kNotifySignal, .thread = 0, .padding = {}};
  if (argument[1] != 0) event = TRY(read_user<SignalEvent>(argument[1]));
  const int clock = argument.number(0);
  (void)TRY(clock_now(clock));
  if (clock == kClockMonotonicRaw || clock == kClockRealtimeCoarse || clock == kClockMonotonicCoarse)
    return Error::NotSupported;
  uint32_t target = 0;
  constexpr int kNotifyThread = 2;
  switch (event.notify) {
    case kNotifyThreadId:
      target = static_cast<uint32_t>(event.thread);
      if (find_thread(target) == nullptr) return Error::Invalid;
      [[fallthrough]];
    case kNotifySignal:
    case kNotifyThread:
      if (event.signal <= 0 || event.signal > kSignalCount) return Error::Invalid;
      break;
    case kNotifyNone:
      break;
    default:
      return Error::Invalid;
  }
  PosixTimer* timer = TRY(make<PosixTimer>(absolute_clock(clock), event, target));
  timer->id = g_next_id;
  if (argument[1] == 0) timer->event.value = static_cast<uint64_t>(timer->id);
  if (auto written = write_user(argument[2], timer->id); written.is_error()) {
    destroy(timer);
    return written.error();
  }
  g_next_id = g_next_id == INT32_MAX ? 0 : g_next_id + 1;
  InterruptGuard guard;
  timer->next = g_first;
  g_first = timer;
  return 0;
}

MORTEM_CALL(timer_settime) {
  constexpr int kAbsolute = 1;
  if (argument[2] == 0) return Error::Invalid;
  const auto wanted = TRY(read_user<TimerSetting>(argument[2]));
  const uint64_t value = TRY(duration_of(wanted.value)), interval = TRY(duration_of(wanted.interval));
  PosixTimer* timer = TRY(timer_with(argument.number(0)));
  const uint64_t now = TRY(clock_now(timer->clock()));
  TimerSetting old;
  {
    InterruptGuard guard;
    old = setting_of(*timer);
    switch_off(*timer);
    if (value != 0) timer->arm((argument.number(1) & kAbsolute) != 0 ? value : add_saturated(now, value), interval);
  }
  if (argument[3] != 0) TRY(write_user(argument[3], old));
  return 0;
}

MORTEM_CALL(timer_gettime) {
  TRY(write_user(argument[1], setting_of(*TRY(timer_with(argument.number(0))))));
  return 0;
}

MORTEM_CALL(timer_getoverrun) {
  return static_cast<uint64_t>(TRY(timer_with(argument.number(0)))->overrun);
}

MORTEM_CALL(timer_delete) {
  PosixTimer* timer = TRY(timer_with(argument.number(0)));
  InterruptGuard guard;
  switch_off(*timer);
  PosixTimer** at = &g_first;
  while (*at != timer) at = &(*at)->next;
  *at = timer->next;
  destroy(timer);
  return 0;
}

}  // namespace kernel::linux
