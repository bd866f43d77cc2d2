// Pending signals: one queue, each entry for one thread or for the process. Classic signals stand in it once for each,
// real-time signals as often as they were sent, in order (signal(7)).
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/debug/debugger.h"
#include "kernel/linux/app.h"
#include "kernel/linux/open_file.h"
#include "kernel/linux/posix_timers.h"
#include "kernel/linux/signals.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {

constinit uint64_t g_process_pending = 0;

namespace {

struct QueuedSignal {
  SignalInformation information;
  AppThread* thread;  // null: the process
};

constexpr size_t kQueueLength = 1024;
constexpr int kFirstRealTime = 32;
QueuedSignal g_queue[kQueueLength];  // oldest first
size_t g_queue_count = 0;
SignalAction g_actions[kSignalCount];
WaitQueue g_watchers;

constexpr uint64_t kIgnoredByDefault =
    signal_bit(kSigChld) | signal_bit(kSigCont) | signal_bit(kSigUrg) | signal_bit(kSigWinch);
// Nobody could continue a stopped app: the stop signals are ignored too.
constexpr uint64_t kStops = signal_bit(kSigStop) | signal_bit(kSigTstp) | signal_bit(kSigTtin) | signal_bit(kSigTtou);

bool is_ignored(int signal) {
  const SignalAction& action = g_actions[signal - 1];
  if (action.handler == kHandlerIgnore) return signal != kSigKill;
  return action.handler == kHandlerDefault && ((kIgnoredByDefault | kStops) & signal_bit(signal)) != 0;
}

uint64_t& pending_of(AppThread* thread) {
  return thread != nullptr ? thread->pending_signals : g_process_pending;
}

bool takes(const AppThread& thread, uint64_t bit) {
  return (thread.blocked_signals & bit) == 0 || (thread.awaited_signals & bit) != 0;
}

bool blocked_by_all(AppThread* thread, uint64_t bit) {
  if (thread != nullptr) return (thread->blocked_signals & bit) != 0;
  for (AppThread* each = first_thread(); each != nullptr; each = next_thread(*each))
    if ((each->blocked_signals & bit) == 0) return false;
  return true;
}

// Somebody who takes it must come out of its wait; one that runs, or will run anyway, needs no waking.
void wake_taker(AppThread* thread, uint64_t bit) {
  if (thread != nullptr) {
    if (takes(*thread, bit)) wake(*thread);
    return;
  }
  AppThread* taker = nullptr;
  for (AppThread* each = first_thread(); each != nullptr; each = next_thread(*each)) {
    if (!takes(*each, bit)) continue;
    if (each->run_state != RunState::Blocked) return;
    if (taker == nullptr) taker = each;
  }
  if (taker != nullptr) wake(*taker);
}

void take_out(size_t index) {
  --g_queue_count;
  for (size_t at = index; at < g_queue_count; ++at) g_queue[at] = g_queue[at + 1];
}

void throw_away(size_t index) {
  SignalInformation information = g_queue[index].information;
  take_out(index);
  if (information.code == kCodeTimer) timer_signal_taken(information);
}

bool take_from(AppThread* owner, int signal, SignalInformation& information) {
  bool found = false, more = false;
  for (size_t index = 0; index < g_queue_count && !more; ++index) {
    if (g_queue[index].thread != owner || g_queue[index].information.signal != signal) continue;
    more = found;
    if (found) break;
    found = true;
    information = g_queue[index].information;
    take_out(index--);
  }
  if (!more) pending_of(owner) &= ~signal_bit(signal);
  if (found && information.code == kCodeTimer) timer_signal_taken(information);
  return found;
}

}  // namespace

SignalAction& signal_action(int signal) {
  return g_actions[signal - 1];
}

bool is_dropped(int signal, AppThread* thread) {
  // A blocked signal waits even when it is ignored now: the program may look for it with sigwaitinfo.
  return is_ignored(signal) && !blocked_by_all(thread, signal_bit(signal));
}

Result<void> raise_signal(const SignalInformation& information, AppThread* thread) {
  InterruptGuard guard;
  if (first_thread() == nullptr) return Error::NoProcess;
  const int signal = information.signal;
  const uint64_t bit = signal_bit(signal);
  if (is_dropped(signal, thread)) return {};
  // A timer's signal has its own place (Linux: send_sigqueue): whoever takes it sets the timer again.
  if (signal >= kFirstRealTime || (pending_of(thread) & bit) == 0 || information.code == kCodeTimer) {
    if (g_queue_count == kQueueLength) return Error::Again;
    g_queue[g_queue_count++] = {information, thread};
    pending_of(thread) |= bit;
  }
  wake_taker(thread, bit);
  g_watchers.notify_all(kPollIn);
  return {};
}

WaitQueue& signal_watchers() {
  return g_watchers;
}

void raise_signal(int signal, int code) {
  SignalInformation information;
  information.signal = signal;
  information.code = code;
  (void)raise_signal(information).is_error();  // classic signals of the kernel: one place each
}

bool take_signal(uint64_t set, SignalInformation& information) {
  InterruptGuard guard;
  AppThread& thread = current();
  // The thread's own come before the process's (Linux: dequeue_signal).
  for (AppThread* owner : {&thread, static_cast<AppThread*>(nullptr)}) {
    const uint64_t candidates = pending_of(owner) & set;
    if (candidates == 0) continue;
    // Those that answer a trap come first (Linux: SYNCHRONOUS_MASK), then the lowest number.
    constexpr uint64_t kSynchronous = signal_bit(kSigSegv) | signal_bit(kSigBus) | signal_bit(kSigIll) |
                                      signal_bit(kSigTrap) | signal_bit(kSigFpe) | signal_bit(kSigSys);
    const uint64_t first = (candidates & kSynchronous) != 0 ? candidates & kSynchronous : candidates;
    if (take_from(owner, __builtin_ctzll(first) + 1, information)) return true;
  }
  return false;
}

void drop_pending_signals(int signal) {
  InterruptGuard guard;
  for (size_t index = 0; index < g_queue_count; ++index)
    if (g_queue[index].information.signal == signal) throw_away(index--);
  g_process_pending &= ~signal_bit(signal);
  for (AppThread* each = first_thread(); each != nullptr; each = next_thread(*each))
    each->pending_signals &= ~signal_bit(signal);
}

void drop_pending_signals(const AppThread& thread) {
  InterruptGuard guard;
  for (size_t index = 0; index < g_queue_count; ++index)
    if (g_queue[index].thread == &thread) throw_away(index--);
}

void drop_timer_signal(int32_t timer) {
  InterruptGuard guard;
  for (size_t index = 0; index < g_queue_count; ++index) {
    const SignalInformation& information = g_queue[index].information;
    if (information.code != kCodeTimer || information.sender.process != timer) continue;
    AppThread* owner = g_queue[index].thread;
    const int signal = information.signal;
    take_out(index--);
    bool more = false;
    for (size_t at = 0; at < g_queue_count; ++at)
      more |= g_queue[at].thread == owner && g_queue[at].information.signal == signal;
    if (!more) pending_of(owner) &= ~signal_bit(signal);
  }
}

void set_blocked_signals(uint64_t mask) {
  InterruptGuard guard;
  AppThread& thread = current();
  const uint64_t newly_blocked = mask & ~thread.blocked_signals;
  thread.blocked_signals = mask & ~(signal_bit(kSigKill) | signal_bit(kSigStop));
  // What this thread was to take for the process is another's now (Linux: retarget_shared_pending).
  for (uint64_t rest = g_process_pending & newly_blocked; rest != 0; rest &= rest - 1)
    wake_taker(nullptr, rest & -rest);
}

uint64_t pending_process_signals() {
  return g_process_pending;
}

uint64_t pending_signals() {
  return current().pending_signals | g_process_pending;
}

uint64_t deliverable_signals() {
  return pending_signals() & ~current().blocked_signals;
}

bool wait_is_interrupted() {
  if (debug::wants_stop(current())) return true;
  uint64_t waiting = deliverable_signals();
  // One that became ignored after it was sent ends no wait.
  for (; waiting != 0; waiting &= waiting - 1)
    if (!is_ignored(__builtin_ctzll(waiting) + 1)) return true;
  return false;
}

void set_temporary_mask(uint64_t mask) {
  AppThread& thread = current();
  thread.saved_mask = thread.blocked_signals;
  thread.mask_is_saved = true;
  set_blocked_signals(mask);
}

void drop_temporary_mask() {
  AppThread& thread = current();
  if (thread.mask_is_saved) set_blocked_signals(thread.saved_mask);
  thread.mask_is_saved = false;
}

const char* signal_name(int signal) {
  constexpr const char* kNames[32] = {"no signal", "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",  "SIGTRAP",   "SIGABRT",
                                      "SIGBUS",    "SIGFPE",  "SIGKILL",   "SIGUSR1", "SIGSEGV", "SIGUSR2",   "SIGPIPE",
                                      "SIGALRM",   "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP",   "SIGTSTP",
                                      "SIGTTIN",   "SIGTTOU", "SIGURG",    "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF",
                                      "SIGWINCH",  "SIGIO",   "SIGPWR",    "SIGSYS"};
  return signal >= 0 && signal < 32 ? kNames[signal] : "a real-time signal";
}

}  // namespace kernel::linux
