// rt_sig*, sigaltstack, kill and their kin.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/identity.h"
#include "kernel/linux/signals.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kSetSize = sizeof(uint64_t);

bool is_signal(int number) {
  return number >= 1 && number <= kSignalCount;
}

Result<uint64_t> send(AppThread* thread, int signal, int code) {
  if (!is_signal(signal) && signal != 0) return Error::Invalid;
  if (signal == 0) return 0;
  SignalInformation information;
  information.signal = signal;
  information.code = code;
  information.sender = {static_cast<int32_t>(kProcessId), g_identity.user.real, 0};
  TRY(raise_signal(information, thread));
  return 0;
}

Result<AppThread*> thread_with(int id) {
  if (id <= 0) return Error::Invalid;
  AppThread* thread = find_thread(static_cast<uint32_t>(id));
  if (thread == nullptr) return Error::NoProcess;
  return thread;
}

}  // namespace

MORTEM_CALL(rt_sigaction) {
  const int signal = argument.number(0);
  if (argument[3] != kSetSize || !is_signal(signal)) return Error::Invalid;
  const SignalAction old = signal_action(signal);
  if (argument[1] != 0) {
    if (signal == kSigKill || signal == kSigStop) return Error::Invalid;
    auto action = TRY(read_user<SignalAction>(argument[1]));
    action.mask &= ~(signal_bit(kSigKill) | signal_bit(kSigStop));
    if (argument[2] != 0) TRY(write_user(argument[2], old));
    signal_action(signal) = action;
    // POSIX: a pending signal that becomes ignored is gone.
    const bool ignored_by_default =
        signal == kSigChld || signal == kSigCont || signal == kSigUrg || signal == kSigWinch;
    if (action.handler == kHandlerIgnore || (action.handler == kHandlerDefault && ignored_by_default))
      drop_pending_signals(signal);
    return 0;
  }
  if (argument[2] != 0) TRY(write_user(argument[2], old));
  return 0;
}

MORTEM_CALL(rt_sigprocmask) {
  constexpr int kBlock = 0, kUnblock = 1, kSetMask = 2;
  if (argument[3] != kSetSize) return Error::Invalid;
  const uint64_t old = current().blocked_signals;
  if (argument[1] != 0) {
    const auto set = TRY(read_user<uint64_t>(argument[1]));
    switch (argument.number(0)) {
      case kBlock:
        set_blocked_signals(old | set);
        break;
      case kUnblock:
        set_blocked_signals(old & ~set);
        break;
      case kSetMask:
        set_blocked_signals(set);
        break;
      default:
        return Error::Invalid;
    }
  }
  if (argument[2] != 0) TRY(write_user(argument[2], old));
  return 0;
}

MORTEM_CALL(rt_sigpending) {
  if (argument[1] > kSetSize) return Error::Invalid;
  const uint64_t pending = pending_signals() & current().blocked_signals;
  TRY(copy_to_user(argument[0], &pending, argument[1]));
  return 0;
}

MORTEM_CALL(rt_sigsuspend) {
  if (argument[1] != kSetSize) return Error::Invalid;
  set_temporary_mask(TRY(read_user<uint64_t>(argument[0])));
  (void)wait_until_deadline(kNoDeadline);
  return Error::RestartNoHandler;
}

MORTEM_CALL(pause) {
  (void)wait_until_deadline(kNoDeadline);
  return Error::RestartNoHandler;
}

MORTEM_CALL(rt_sigreturn) {
  if (pop_signal_frame(argument.frame).is_error()) {
    SignalInformation information;
    information.signal = kSigSegv;
    information.code = kCodeKernel;
    const char* message = "bad signal frame in rt_sigreturn";
    static char text[96];
    if (g_last_trap.code_segment != 0) {
      format_text(text, sizeof text, "rt_sigreturn to code segment %#x and stack segment %#x",
                  unsigned{g_last_trap.code_segment}, unsigned{g_last_trap.stack_segment});
      message = text;
    }
    force_signal(information, message, argument.frame);
    g_last_trap = {};
  }
  return argument.frame.rax;
}

namespace {

Result<uint64_t> await_signal(const Arguments& argument, uint64_t deadline) {
  const uint64_t set = TRY(read_user<uint64_t>(argument[0])) & ~(signal_bit(kSigKill) | signal_bit(kSigStop));
  SignalInformation information;
  current().awaited_signals = set;
  const WaitResult result = wait_for([&] { return take_signal(set, information); }, deadline);
  current().awaited_signals = 0;
  if (result == WaitResult::Signal) return repeat_until(deadline, await_signal);
  if (result == WaitResult::Deadline) return Error::Again;
  if (argument[1] != 0) TRY(write_user(argument[1], information));
  return static_cast<uint64_t>(information.signal);
}

}  // namespace

MORTEM_CALL(rt_sigtimedwait) {
  if (argument[3] != kSetSize) return Error::Invalid;
  uint64_t deadline = kNoDeadline;
  if (argument[2] != 0) deadline = add_saturated(monotonic_ns(), TRY(read_user_duration(argument[2])));
  return await_signal(argument, deadline);
}

MORTEM_CALL(sigaltstack) {
  constexpr int32_t kOnStack = 1, kDisable = 2, kAutoDisarm = INT32_MIN;
  constexpr uint64_t kLeastSize = 2048;  // MINSIGSTKSZ
  AppThread& thread = current();
  const uint64_t rsp = argument.frame.rsp;
  const AlternateStack& now = thread.alternate_stack;
  const bool on_it = (now.flags & kAutoDisarm) == 0 && now.size != 0 && rsp > now.start && rsp - now.start <= now.size;
  AlternateStack old = now;
  if (old.size != 0) old.flags = (old.flags & kAutoDisarm) | (on_it ? kOnStack : 0);
  if (argument[0] != 0) {
    auto wanted = TRY(read_user<AlternateStack>(argument[0]));
    if (on_it) return Error::NotPermitted;
    const int32_t mode = wanted.flags & ~kAutoDisarm;
    if (mode != 0 && mode != kOnStack && mode != kDisable) return Error::Invalid;
    if (mode == kDisable) {
      wanted = {};
    } else {
      if (wanted.size < kLeastSize) return Error::NoMemory;
      wanted.flags &= kAutoDisarm;
    }
    thread.alternate_stack = wanted;
  }
  if (argument[1] != 0) TRY(write_user(argument[1], old));
  return 0;
}

MORTEM_CALL(kill) {
  const int process = argument.number(0);
  // The process itself, the caller's process group, and everybody: that is this process.
  if (process != static_cast<int>(kProcessId) && process != 0 && process != -1 &&
      process != -static_cast<int>(kProcessId))
    return Error::NoProcess;
  return send(nullptr, argument.number(1), kCodeUser);
}

MORTEM_CALL(tkill) {
  return send(TRY(thread_with(argument.number(0))), argument.number(1), kCodeTkill);
}

MORTEM_CALL(tgkill) {
  if (argument.number(0) <= 0) return Error::Invalid;
  AppThread* thread = TRY(thread_with(argument.number(1)));
  if (argument.number(0) != static_cast<int>(kProcessId)) return Error::NoProcess;
  return send(thread, argument.number(2), kCodeTkill);
}

namespace {

Result<uint64_t> queue(AppThread* thread, int signal, uint64_t user_information) {
  auto information = TRY(read_user<SignalInformation>(user_information));
  if (signal == 0) return 0;
  if (!is_signal(signal)) return Error::Invalid;
  information.signal = signal;
  TRY(raise_signal(information, thread));
  return 0;
}

}  // namespace

MORTEM_CALL(rt_sigqueueinfo) {
  // Linux takes the id of any thread for its process.
  TRY(thread_with(argument.number(0)));
  return queue(nullptr, argument.number(1), argument[2]);
}
MORTEM_CALL(rt_tgsigqueueinfo) {
  if (argument.number(0) <= 0) return Error::Invalid;
  AppThread* thread = TRY(thread_with(argument.number(1)));
  if (argument.number(0) != static_cast<int>(kProcessId)) return Error::NoProcess;
  return queue(thread, argument.number(2), argument[3]);
}

}  // namespace kernel::linux
