// Registers of a parked thread, in its trap frame and its record.
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/debug/app_target.h"

namespace kernel::debug {

using linux::AppThread;

namespace {

AppThread* parked_thread(gdbstub::ThreadId id) {
  AppThread* thread = linux::find_thread(id);
  return thread != nullptr && thread->debug.parked ? thread : nullptr;
}

// What a program may have in its flags (Linux: FLAG_MASK of ptrace.c).
constexpr uint64_t kWritableFlags = 0x254DD5;

}  // namespace

bool AppTarget::read_registers(gdbstub::ThreadId id, GeneralRegisters& registers) {
  const AppThread* thread = parked_thread(id);
  if (thread == nullptr) return false;
  registers = thread->frame->registers();
  registers.fs_base = thread->fs_base;
  registers.gs_base = thread->gs_base;
  return true;
}

bool AppTarget::write_registers(gdbstub::ThreadId id, const GeneralRegisters& from) {
  AppThread* thread = parked_thread(id);
  if (thread == nullptr || from.fs_base >= kUserEnd || from.gs_base >= kUserEnd) return false;
  TrapFrame& frame = *thread->frame;
  frame.r15 = from.r15, frame.r14 = from.r14, frame.r13 = from.r13, frame.r12 = from.r12;
  frame.rbp = from.rbp, frame.rbx = from.rbx, frame.r11 = from.r11, frame.r10 = from.r10;
  frame.r9 = from.r9, frame.r8 = from.r8, frame.rax = from.rax, frame.rcx = from.rcx;
  frame.rdx = from.rdx, frame.rsi = from.rsi, frame.rdi = from.rdi;
  frame.rip = from.rip, frame.rsp = from.rsp;
  frame.rflags = (frame.rflags & ~kWritableFlags) | (from.eflags & kWritableFlags);
  // A call's number makes the frame one of an interrupted call: the way back looks at rax and makes it again (gdb puts
  // it back so after it has called a function, and puts -1 there before). What an error code was is of no use any more.
  if (from.orig_rax != ~uint64_t{0}) frame.vector = kSyscallVector;
  if (frame.is_syscall()) frame.error_code = from.orig_rax;
  thread->fs_base = from.fs_base;
  thread->gs_base = from.gs_base;
  return true;
}

size_t AppTarget::read_extended_state(gdbstub::ThreadId id, std::span<uint8_t> to) {
  const AppThread* thread = parked_thread(id);
  if (thread == nullptr) return 0;
  const size_t size = g_cpu.xsave_size < to.size() ? g_cpu.xsave_size : to.size();
  __builtin_memcpy(to.data(), thread->extended_state, size);
  return g_cpu.xsave_size;
}

bool AppTarget::write_extended_state(gdbstub::ThreadId id, std::span<const uint8_t> from) {
  AppThread* thread = parked_thread(id);
  constexpr size_t kLegacySize = 512, kHeaderSize = 64, kMxcsrOffset = 24;
  if (thread == nullptr || from.size() < kLegacySize || from.size() > g_cpu.xsave_size) return false;
  auto* area = static_cast<uint8_t*>(thread->extended_state);
  __builtin_memcpy(area, from.data(), from.size());
  // What XRSTOR would refuse (Intel SDM vol. 1, 13.8): reserved bits of MXCSR, components that are off, a header that
  // is not of the standard format.
  uint32_t mxcsr;
  __builtin_memcpy(&mxcsr, area + kMxcsrOffset, sizeof mxcsr);
  mxcsr &= 0xFFFF;
  __builtin_memcpy(area + kMxcsrOffset, &mxcsr, sizeof mxcsr);
  if (g_cpu.xsave) {
    uint64_t components;
    __builtin_memcpy(&components, area + kLegacySize, sizeof components);
    components &= g_cpu.xcr0;
    __builtin_memset(area + kLegacySize, 0, kHeaderSize);
    __builtin_memcpy(area + kLegacySize, &components, sizeof components);
  }
  thread->extended_state_changed = true;
  return true;
}

}  // namespace kernel::debug
