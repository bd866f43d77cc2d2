// Pending signals. There is one thread, so signals sent to it and to the process share one queue: classic signals
// stand in it once, real-time signals as often as they were sent, in order (signal(7)).
#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/linux/app.h"
#include "kernel/linux/app_timers.h"
#include "kernel/linux/signals.h"

namespace kernel::linux {
namespace {

constexpr size_t kQueueLength = 256;
constexpr int kFirstRealTime = 32;
SignalInformation g_queue[kQueueLength];  // oldest first
size_t g_queue_count = 0;
SignalAction g_actions[kSignalCount];

constexpr uint64_t kIgnoredByDefault =
    signal_bit(kSigChld) | signal_bit(kSigCont) | signal_bit(kSigUrg) | signal_bit(kSigWinch);
// Nobody could continue a stopped app: the stop signals are ignored too.
constexpr uint64_t kStops = signal_bit(kSigStop) | signal_bit(kSigTstp) | signal_bit(kSigTtin) | signal_bit(kSigTtou);

bool is_ignored(int signal) {
  const SignalAction& action = g_actions[signal - 1];
  if (action.handler == kHandlerIgnore) return signal != kSigKill;
  return action.handler == kHandlerDefault && ((kIgnoredByDefault | kStops) & signal_bit(signal)) != 0;
}

}  // namespace

SignalAction& signal_action(int signal) {
  return g_actions[signal - 1];
}

Result<void> raise_signal(const SignalInformation& information) {
  InterruptGuard guard;
  if (g_current_thread == nullptr) return Error::NoProcess;
  const int signal = information.signal;
  const uint64_t bit = signal_bit(signal);
  // A blocked signal waits even when it is ignored now: the program may look for it with sigwaitinfo.
  if (is_ignored(signal) && (current().blocked_signals & bit) == 0) return {};
  if (signal < kFirstRealTime && (current().pending_signals & bit) != 0) return {};
  if (g_queue_count == kQueueLength) return Error::Again;
  g_queue[g_queue_count++] = information;
  current().pending_signals |= bit;
  return {};
}

void raise_signal(int signal, int code) {
  SignalInformation information;
  information.signal = signal;
  information.code = code;
  (void)raise_signal(information).is_error();  // classic signals of the kernel: one place each
}

bool take_signal(uint64_t set, SignalInformation& information) {
  InterruptGuard guard;
  const uint64_t candidates = current().pending_signals & set;
  if (candidates == 0) return false;
  // Those that answer a trap come first (Linux: SYNCHRONOUS_MASK), then the lowest number.
  constexpr uint64_t kSynchronous = signal_bit(kSigSegv) | signal_bit(kSigBus) | signal_bit(kSigIll) |
                                    signal_bit(kSigTrap) | signal_bit(kSigFpe) | signal_bit(kSigSys);
  const uint64_t first = (candidates & kSynchronous) != 0 ? candidates & kSynchronous : candidates;
  const int signal = __builtin_ctzll(first) + 1;
  bool found = false, more = false;
  for (size_t index = 0; index < g_queue_count; ++index) {
    if (g_queue[index].signal != signal) continue;
    if (found) {
      more = true;
      break;
    }
    found = true;
    information = g_queue[index];
    --g_queue_count;
    for (size_t at = index; at < g_queue_count; ++at) g_queue[at] = g_queue[at + 1];
    --index;
  }
  if (!more) current().pending_signals &= ~signal_bit(signal);
  return found;
}

void set_blocked_signals(uint64_t mask) {
  current().blocked_signals = mask & ~(signal_bit(kSigKill) | signal_bit(kSigStop));
}

uint64_t deliverable_signals() {
  return current().pending_signals & ~current().blocked_signals;
}

bool signal_is_waiting() {
  fire_app_timers();
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
