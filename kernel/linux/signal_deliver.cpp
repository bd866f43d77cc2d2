// The way back to the app: pending signals become handler frames, ends, or nothing; interrupted calls are made again.
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/debug/debugger.h"
#include "kernel/linux/app.h"
#include "kernel/linux/linux.h"
#include "kernel/linux/restartable_sequence.h"
#include "kernel/linux/signals.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kSyscallInstructionLength = 2;
constexpr uint64_t kRestartSyscall = 219;

bool is_code(const TrapFrame& frame, Error error) {
  return frame.rax == static_cast<uint64_t>(-static_cast<int64_t>(error));
}

// The frame stands behind a SYSCALL whose number is still known (sigreturn and the restart itself forget it).
bool in_call(const TrapFrame& frame) {
  return frame.is_syscall() && frame.error_code != ~uint64_t{0};
}

void make_call_again(TrapFrame& frame, uint64_t number) {
  frame.rax = number;
  frame.rip -= kSyscallInstructionLength;
  frame.error_code = ~uint64_t{0};
}

// signal(7), "Interruption of system calls by signal handlers"; Linux: handle_signal.
void finish_call_before_handler(TrapFrame& frame, const SignalAction& action) {
  if (!in_call(frame)) return;
  const bool restart = is_code(frame, Error::RestartNoInterrupt) ||
                       (is_code(frame, Error::RestartSystem) && (action.flags & kActionRestart) != 0);
  if (restart)
    make_call_again(frame, frame.error_code);
  else if (is_code(frame, Error::RestartSystem) || is_code(frame, Error::RestartNoHandler) ||
           is_code(frame, Error::RestartBlock))
    frame.rax = static_cast<uint64_t>(-static_cast<int64_t>(Error::Interrupted));
}

void finish_call_without_handler(TrapFrame& frame) {
  if (!in_call(frame)) return;
  if (is_code(frame, Error::RestartNoInterrupt) || is_code(frame, Error::RestartSystem) ||
      is_code(frame, Error::RestartNoHandler))
    make_call_again(frame, frame.error_code);
  else if (is_code(frame, Error::RestartBlock))
    make_call_again(frame, kRestartSyscall);
}

void run_handler(TrapFrame& frame, const SignalInformation& information, SignalAction& action) {
  finish_call_before_handler(frame, action);
  abort_restartable_sequence(frame);
  debug::before_handler(current(), frame);
  const SignalAction chosen = action;
  if ((action.flags & kActionResetHand) != 0) action.handler = kHandlerDefault;
  if (push_signal_frame(frame, information, chosen).is_error()) {
    // Linux: force_sigsegv. A stack that cannot take the frame is the end; the dump shows the signal that was due and
    // the registers of its moment.
    SignalInformation end = information;
    if (information.signal != kSigSegv) {
      end = {};
      end.signal = kSigSegv;
      end.code = kCodeKernel;
    }
    end_by_signal(end, "the stack cannot take the signal handler's frame", frame);
  }
  uint64_t mask = current().blocked_signals | chosen.mask;
  if ((chosen.flags & kActionNoDefer) == 0) mask |= signal_bit(information.signal);
  set_blocked_signals(mask);
  debug::entered_handler(current(), frame);
}

}  // namespace

LastTrap g_last_trap;

void force_signal(const SignalInformation& forced, const char* message, TrapFrame& frame) {
  SignalInformation information = forced;
  const auto has_handler = [&] {
    const uint64_t handler = signal_action(information.signal).handler;
    const bool blocked = (current().blocked_signals & signal_bit(information.signal)) != 0;
    return !blocked && handler != kHandlerIgnore && handler != kHandlerDefault;
  };
  const auto effect = has_handler() ? debug::SignalEffect::Handler : debug::SignalEffect::EndsApp;
  const bool was_resumed = effect == debug::SignalEffect::Handler && dump_at_fault(information, message, frame);
  const debug::SignalFate fate = was_resumed ? debug::signal_arrives_again(current(), frame, information)
                                             : debug::signal_arrives(current(), frame, information, effect);
  if (fate == debug::SignalFate::Drop) return;
  if (!has_handler()) end_by_signal(information, information.signal == forced.signal ? message : nullptr, frame);
  run_handler(frame, information, signal_action(information.signal));
}

namespace {

debug::SignalEffect effect_of(int signal) {
  constexpr uint64_t kNothing = signal_bit(kSigChld) | signal_bit(kSigCont) | signal_bit(kSigUrg) |
                                signal_bit(kSigWinch) | signal_bit(kSigStop) | signal_bit(kSigTstp) |
                                signal_bit(kSigTtin) | signal_bit(kSigTtou);
  const SignalAction& action = signal_action(signal);
  if (action.handler == kHandlerIgnore) return debug::SignalEffect::Nothing;
  if (action.handler != kHandlerDefault) return debug::SignalEffect::Handler;
  return (signal_bit(signal) & kNothing) != 0 ? debug::SignalEffect::Nothing : debug::SignalEffect::EndsApp;
}

// One pending signal becomes a handler's frame, an end, or nothing. True: a handler will run.
bool deliver_signal(TrapFrame& frame) {
  SignalInformation information;
  if (!take_signal(~current().blocked_signals, information)) return false;
  const debug::SignalEffect first = effect_of(information.signal);
  if (debug::signal_arrives(current(), frame, information, first) == debug::SignalFate::Drop) return false;
  SignalAction& action = signal_action(information.signal);
  switch (effect_of(information.signal)) {  // the debugger may have made another signal of it
    case debug::SignalEffect::Nothing:
      return false;
    case debug::SignalEffect::EndsApp:
      end_by_signal(information, nullptr, frame);
    case debug::SignalEffect::Handler:
      break;
  }
  g_last_trap = {};
  run_handler(frame, information, action);
  return true;
}

}  // namespace

// Asks for whatever before_return_to_user() acts on; what is added there has to be added here.
bool may_return_at_once(const TrapFrame& frame) {
  const AppThread& thread = current();
  const debug::ThreadDebug& debug = thread.debug;
  if (debug.stop_requested || debug.stepping || debug.in_caught_call || debug.debug_status != 0) return false;
  if (((thread.pending_signals | g_process_pending) & ~thread.blocked_signals) != 0 || thread.mask_is_saved)
    return false;
  // The codes that make a call again lie side by side (result.h).
  constexpr auto kFirst = static_cast<uint64_t>(-static_cast<int64_t>(Error::RestartBlock));
  constexpr auto kLast = static_cast<uint64_t>(-static_cast<int64_t>(Error::RestartSystem));
  static_assert(kLast - kFirst == 4);
  if (!in_call(frame) || frame.rax - kFirst <= kLast - kFirst) return false;
  return nothing_to_schedule();
}

void before_return_to_user(TrapFrame& frame) {
  AppThread& thread = current();
  thread.frame = &frame;
  interrupts_disable();
  bool handled = false;
  while (true) {
    if (debug::stop_here(thread, frame)) continue;
    if (deliverable_signals() != 0) {
      interrupts_enable();  // frames are written to pages that may have to be brought in
      handled |= deliver_signal(frame);
      interrupts_disable();
    } else if (reschedule_if_needed()) {
      if (frame.is_syscall() || thread.rseq == 0) continue;
      interrupts_enable();
      abort_restartable_sequence(frame);
      interrupts_disable();
    } else if (!handled) {
      handled = true;
      finish_call_without_handler(frame);
      // A restarted call sets its own mask again; the one that comes back may let a signal through.
      drop_temporary_mask();
      debug::left_call(thread, frame);
    } else {
      break;
    }
  }
  arm_for_return();
}

}  // namespace kernel::linux
