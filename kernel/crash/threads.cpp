// Walks the thread list of a guest that crashed: every link is checked, a list that bites its tail ends.
#include "kernel/crash/checked_memory.h"
#include "kernel/crash/crash_state.h"

namespace kernel {

using mortem::format::GeneralRegisters;

namespace {

ThreadState describe(const CrashState& state, const Thread* address, const Thread& thread) {
  ThreadState result{};
  result.id = thread.id;
  for (size_t i = 0; i < sizeof result.name; ++i) result.name[i] = thread.name[i];
  result.blocked_signals = thread.blocked_signals;
  result.pending_signals = thread.pending_signals;
  result.kernel_stack = thread.kernel_stack;
  result.crashed = address == state.thread_address;
  if (result.crashed) {
    result.registers = state.machine.general;
    result.registers_known = true;
    result.extended_state = state.extended_state;
    return result;
  }
  result.switch_frame = address == g_current_thread ? 0 : thread.kernel_rsp;
  TrapFrame frame;
  if (!read_kernel(frame, static_cast<const TrapFrame*>(thread.frame))) return result;
  result.registers = frame.registers();
  result.registers.fs_base = thread.fs_base;
  result.registers.gs_base = thread.gs_base;
  result.registers_known = true;
  result.extended_state = thread.extended_state;
  return result;
}

ThreadState the_kernel_itself(const CrashState& state) {
  ThreadState result{};
  result.id = state.thread_id;
  const char name[] = "kernel";
  for (size_t i = 0; i < sizeof name; ++i) result.name[i] = name[i];
  result.crashed = true;
  result.registers = state.machine.general;
  result.registers_known = true;
  result.extended_state = state.extended_state;
  return result;
}

}  // namespace

bool app_registers(const CrashState& state, GeneralRegisters& registers) {
  Thread thread;
  TrapFrame frame;
  if (state.thread_address == nullptr || !read_kernel(thread, static_cast<const Thread*>(state.thread_address)) ||
      !read_kernel(frame, static_cast<const TrapFrame*>(thread.frame)) || !frame.from_user())
    return false;
  registers = frame.registers();
  // The thread was running: its segment bases are the processor's.
  registers.fs_base = state.machine.fs_base;
  registers.gs_base = state.machine.gs_base;
  return true;
}

bool for_each_thread(const CrashState& state, ThreadVisitor& visitor) {
  Thread thread;
  if (state.thread_address == nullptr || !read_kernel(thread, static_cast<const Thread*>(state.thread_address))) {
    if (!visitor.visit(the_kernel_itself(state))) return false;
  } else {
    if (!visitor.visit(describe(state, state.thread_address, thread))) return false;
  }
  const Thread* at = g_threads;
  for (size_t count = 0; at != nullptr && count < kMaximumThreads; ++count) {
    if (!read_kernel(thread, at)) break;
    if (at != state.thread_address && !visitor.visit(describe(state, at, thread))) return false;
    at = thread.next;
  }
  return true;
}

}  // namespace kernel
