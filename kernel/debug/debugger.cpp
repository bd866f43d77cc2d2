// Where the app meets its debugger: traps, signals, single steps.
#include "kernel/debug/debugger.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/debug/app_stop.h"
#include "kernel/debug/breakpoints.h"
#include "kernel/debug/signal_filter.h"
#include "kernel/debug/stub.h"
#include "kernel/debug/syscall_filter.h"
#include "kernel/linux/signals.h"
#include "kernel/resume/resume.h"
#include "kernel/task/scheduler.h"

namespace kernel::debug {

using linux::AppThread;
using linux::SignalInformation;
using mortem::gdbstub::Stop;
using mortem::gdbstub::StopKind;

namespace {

constexpr uint64_t kDebugVector = 1, kBreakpointVector = 3;
constexpr uint64_t kSingleStep = 1 << 14, kAnyRegister = 15;           // DR6
constexpr int kTrapBreakpoint = 1, kTrapTrace = 2, kTrapHardware = 4;  // si_code of SIGTRAP (asm-generic/siginfo.h)

void stop_with_trap(AppThread& thread, TrapFrame& frame, int code, const Stop& stop) {
  SignalInformation& information = thread.debug.information;
  information = {};
  information.signal = linux::kSigTrap;
  information.code = code;
  information.address = stop.address != 0 ? stop.address : frame.rip;
  thread.debug.has_information = true;
  stop_with(thread, frame, stop);
}

void stop_after_step(AppThread& thread, TrapFrame& frame) {
  stop_with_trap(thread, frame, kTrapTrace, {.kind = StopKind::Step, .signal = linux::kSigTrap});
}

bool stop_at_debug_register(AppThread& thread, TrapFrame& frame, uint64_t status) {
  DebugHit hit;
  if (!debug_hit(status, hit)) return false;
  const StopKind kind = hit.kind == Watch::Execute ? StopKind::HardwareBreakpoint
                        : hit.kind == Watch::Write ? StopKind::WriteWatchpoint
                                                   : StopKind::AccessWatchpoint;
  stop_with_trap(thread, frame, kTrapHardware, {.kind = kind, .signal = linux::kSigTrap, .address = hit.address});
  return true;
}

SignalFate wait_for_fate(AppThread& thread, TrapFrame& frame, SignalInformation& information);

bool is_in_range(const ThreadDebug& debug, uint64_t rip) {
  return rip >= debug.range_start && rip < debug.range_end;
}

}  // namespace

bool wants_stop(const AppThread& thread) {
  return thread.debug.stop_requested;
}

bool stop_here(AppThread& thread, TrapFrame& frame) {
  ThreadDebug& debug = thread.debug;
  if (debug.stop_requested) {
    park(thread, frame);
    return true;
  }
  if (debug.debug_status != 0) {
    const uint64_t status = debug.debug_status;
    debug.debug_status = 0;
    if (is_attached() && stop_at_debug_register(thread, frame, status)) return true;
  }
  return false;
}

bool enters_call(AppThread& thread, TrapFrame& frame) {
  thread.debug.before_first_step = false;
  thread.debug.in_caught_call = is_attached() && catches_syscall(frame.error_code);
  if (!thread.debug.in_caught_call) return true;
  InterruptGuard guard;
  stop_with_trap(thread, frame, linux::kSigTrap | 0x80,
                 {.kind = StopKind::SyscallEntry, .signal = linux::kSigTrap, .number = frame.error_code});
  return frame.error_code != ~uint64_t{0};
}

void left_call(AppThread& thread, TrapFrame& frame) {
  ThreadDebug& debug = thread.debug;
  if (debug.in_caught_call && frame.is_syscall() && is_attached()) {
    debug.in_caught_call = false;
    const uint64_t number = frame.error_code;  // -1: it will be made again, and be caught again
    if (number != ~uint64_t{0})
      stop_with_trap(thread, frame, linux::kSigTrap | 0x80,
                     {.kind = StopKind::SyscallReturn, .signal = linux::kSigTrap, .number = number});
  }
  // SYSCALL clears TF, so the processor would trap only one instruction later.
  if (!debug.stepping || debug.before_first_step || !frame.is_syscall() || is_in_range(debug, frame.rip)) return;
  stop_after_step(thread, frame);
}

bool take_trap(AppThread& thread, TrapFrame& frame) {
  if (frame.vector == kBreakpointVector) {
    const uint64_t address = frame.rip - 1;
    if (!has_software_breakpoint(address)) return false;
    frame.rip = address;
    InterruptGuard guard;
    stop_with_trap(thread, frame, linux::kCodeKernel,
                   {.kind = StopKind::SoftwareBreakpoint, .signal = linux::kSigTrap});
    return true;
  }
  if (frame.vector != kDebugVector) return false;
  const uint64_t status = take_debug_status();
  InterruptGuard guard;
  ThreadDebug& debug = thread.debug;
  if ((status & kAnyRegister) != 0 && is_attached() && stop_at_debug_register(thread, frame, status)) return true;
  // A register's hit that came late, after it was removed, is nobody's.
  if ((status & kSingleStep) == 0) return (status & kAnyRegister) != 0;
  if (!debug.stepping) return false;  // the program's own trap flag
  debug.before_first_step = false;
  if (!is_in_range(debug, frame.rip)) stop_after_step(thread, frame);
  return true;
}

bool take_kernel_trap(TrapFrame& frame) {
  if (frame.vector != kDebugVector) return false;
  const uint64_t status = take_debug_status() & kAnyRegister;
  if (status == 0) return false;
  if (g_current_thread != nullptr && g_current_thread->kind == ThreadKind::App)
    linux::current().debug.debug_status |= status;
  return true;
}

SignalFate signal_arrives(AppThread& thread, TrapFrame& frame, SignalInformation& information, SignalEffect effect) {
  ThreadDebug& debug = thread.debug;
  if (debug.injected_signal == information.signal) {  // from the debugger itself
    debug.injected_signal = 0;
    return SignalFate::Deliver;
  }
  // A breakpoint where nothing can be executed: gdb lets functions that it calls return to one on the stack.
  if (information.signal == linux::kSigSegv && has_software_breakpoint(frame.rip)) {
    InterruptGuard guard;
    stop_with_trap(thread, frame, linux::kCodeKernel,
                   {.kind = StopKind::SoftwareBreakpoint, .signal = linux::kSigTrap});
    return SignalFate::Drop;
  }
  const bool ends = effect == SignalEffect::EndsApp && linux::ends_with_dump(information.signal) && client_can_come();
  // A guest that was resumed from a dump crashes only if its debugger wants that.
  const bool stands = ends && g_resumed_count > 0;
  const bool waits = stands || (ends && !debug.crash_was_seen && stops_at_crash());
  if (!is_attached() && !waits) return SignalFate::Deliver;
  if (is_attached() && passes_at_once(information.signal) && effect != SignalEffect::EndsApp)
    return SignalFate::Deliver;
  if (!is_attached() && !stands) announce_crash(information, frame);
  debug.crash_was_seen = effect == SignalEffect::EndsApp;
  debug.stands_at_dump = stands;
  const SignalFate fate = wait_for_fate(thread, frame, information);
  debug.stands_at_dump = false;
  return fate;
}

SignalFate signal_arrives_again(AppThread& thread, TrapFrame& frame, SignalInformation& information) {
  if (!stop_is_wanted()) return SignalFate::Deliver;  // the host has let it go already
  thread.debug.crash_was_seen = thread.debug.stands_at_dump = true;
  const SignalFate fate = wait_for_fate(thread, frame, information);
  thread.debug.stands_at_dump = false;
  return fate;
}

namespace {

SignalFate wait_for_fate(AppThread& thread, TrapFrame& frame, SignalInformation& information) {
  InterruptGuard guard;
  ThreadDebug& debug = thread.debug;
  debug.information = information;
  debug.has_information = debug.in_signal_stop = true;
  debug.signal_to_deliver = information.signal;  // unless the debugger says otherwise
  stop_with(thread, frame, {.kind = StopKind::Signal, .signal = information.signal});
  debug.has_information = debug.in_signal_stop = false;
  if (debug.signal_to_deliver == 0) return SignalFate::Drop;
  if (debug.signal_to_deliver == debug.information.signal) {
    information = debug.information;
    return SignalFate::Deliver;
  }
  information = {};
  information.signal = debug.signal_to_deliver;
  information.code = linux::kCodeUser;
  information.sender = {static_cast<int32_t>(kProcessId), 0, 0};
  return SignalFate::Deliver;
}

}  // namespace

void before_handler(AppThread& thread, TrapFrame& frame) {
  // The handler's frame keeps the flags for sigreturn: ours must not come back with them.
  if (thread.debug.stepping) frame.rflags &= ~kTrapFlag;
}

void entered_handler(AppThread& thread, TrapFrame& frame) {
  if (!thread.debug.stepping) return;
  InterruptGuard guard;
  stop_after_step(thread, frame);
}

void thread_created(AppThread& thread) {
  thread.debug.stop_requested = stop_is_wanted();
}

void thread_ends() {
  InterruptGuard guard;
  if (!is_attached()) return;
  // All that are left are held by the debugger: nothing would ever happen again.
  if (everyone_is_parked()) request_stop();
}

}  // namespace kernel::debug
