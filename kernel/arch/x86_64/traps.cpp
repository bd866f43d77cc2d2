// The IDT, the SYSCALL registers, and the first decision about every trap: the app's, a fixup's, or a crash.

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/arch/x86_64/fixup.h"
#include "kernel/arch/x86_64/interrupt_table.h"
#include "kernel/arch/x86_64/segments.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/crash/crash.h"
#include "kernel/crash/nmi.h"
#include "kernel/debug/debugger.h"
#include "kernel/linux/clone_messages.h"
#include "kernel/linux/linux.h"

namespace kernel {

bool (*g_kernel_trap_hook)(TrapFrame&);

#define CHECK_OFFSET(field, index) static_assert(offsetof(TrapFrame, field) == (index)*8)
CHECK_OFFSET(r15, 0);
CHECK_OFFSET(rbp, 4);
CHECK_OFFSET(r8, 9);
CHECK_OFFSET(rdi, 14);
CHECK_OFFSET(vector, 15);
CHECK_OFFSET(error_code, 16);
CHECK_OFFSET(rip, 17);
CHECK_OFFSET(rsp, 20);

namespace {

struct Gate {  // Intel SDM vol. 3, figure 6-8
  uint16_t offset_low, selector;
  uint8_t interrupt_stack, type;
  uint16_t offset_middle;
  uint32_t offset_high, reserved;
};
static_assert(sizeof(Gate) == 16);
Gate g_gates[256];

constexpr uint8_t kInterruptGate = 0x8E, kUserInterruptGate = 0xEE;
constexpr uint64_t kDebug = 1, kNmi = 2, kBreakpoint = 3, kOverflow = 4, kDoubleFault = 8, kGeneralProtection = 13,
                   kPageFault = 14, kMachineCheck = 18;
constexpr uint64_t kInterruptFlag = 0x200, kCanonicalUserEnd = uint64_t{1} << 47;

// rflags bits that SYSCALL clears: TF, IF, DF, IOPL, NT, AC.
constexpr uint64_t kSyscallFlagMask = 0x47700;

// SYSRET loads only rip and rflags, from rcx and r11; it faults in ring 0 on a non-canonical rip, and must not lose
// a pending single step.
bool may_use_sysret(const TrapFrame& frame) {
  constexpr uint64_t kTrapFlag = 0x100, kResumeFlag = 0x10000;
  return frame.is_syscall() && frame.rcx == frame.rip && frame.r11 == frame.rflags && frame.rip < kUserEnd &&
         frame.cs == kUserCode && frame.ss == kUserData && (frame.rflags & (kTrapFlag | kResumeFlag)) == 0;
}

// The last thing before every return to the app, interrupts off before and after. Whatever stands in the frame (a
// signal handler's address, what sigreturn took from the app's stack), IRETQ must not fault: that would be a fault of
// the kernel's.
void prepare_return_to_user(TrapFrame& frame) {
  constexpr uint64_t kFixed = 0x2, kIoPrivilege = 0x3000, kNestedTask = 0x4000, kVirtual8086 = 0x20000;
  for (;;) {
    linux::before_return_to_user(frame);
    interrupts_disable();
    frame.cs = kUserCode;
    frame.ss = kUserData;
    frame.rflags = (frame.rflags & ~(kIoPrivilege | kNestedTask | kVirtual8086)) | kInterruptFlag | kFixed;
    if (frame.rip < kCanonicalUserEnd) {
      if (g_nmi_is_put_off) nmi_meets_app();
      return;
    }
    // What the processor says to a program that gets there by itself. A handler at such an address is entered once,
    // with its signal blocked: this ends.
    frame.vector = kGeneralProtection;
    frame.error_code = 0;
    interrupts_enable();
    linux::handle_user_trap(frame, 0);
    interrupts_disable();
  }
}

// A copy to or from the app (it has a fixup) met a page that is not there: true when it is there now.
bool brought_in(const TrapFrame& frame, uint64_t cr2) {
  if (frame.vector != kPageFault || cr2 >= kUserEnd) return false;
  if ((frame.rflags & kInterruptFlag) != 0) interrupts_enable();
  const bool there = linux::handle_kernel_fault_on_user_memory(cr2, frame.error_code);
  interrupts_disable();
  return there;
}

}  // namespace

mortem::format::GeneralRegisters TrapFrame::registers() const {
  mortem::format::GeneralRegisters out{};
  out.r15 = r15, out.r14 = r14, out.r13 = r13, out.r12 = r12, out.rbp = rbp, out.rbx = rbx;
  out.r11 = r11, out.r10 = r10, out.r9 = r9, out.r8 = r8;
  out.rax = rax, out.rcx = rcx, out.rdx = rdx, out.rsi = rsi, out.rdi = rdi;
  out.orig_rax = is_syscall() ? error_code : ~uint64_t{0};
  out.rip = rip, out.cs = cs, out.eflags = rflags, out.rsp = rsp, out.ss = ss;
  return out;
}

extern "C" [[gnu::visibility("hidden")]] void trap_dispatch(TrapFrame* frame) {
  uint64_t vector = frame->vector;
  uint64_t cr2 = vector == kPageFault ? read_cr2() : 0;  // before anything can fault again
  // The app may have set AC, and an interrupted copy has: neither opens the app's memory to the rest of the kernel.
  if (g_cpu.smap) asm volatile("clac" ::: "memory");
  if (vector >= 32) {
    dispatch_interrupt(static_cast<uint8_t>(vector));
    if (g_nmi_is_put_off) answer_nmi(*frame);
  } else if ((vector == kNmi && linux::take_clone_nmi()) || (vector == kDebug && take_nmi_step(*frame))) {
    return;
  } else if (vector == kNmi || vector == kDoubleFault || vector == kMachineCheck) {
    if (g_kernel_trap_hook != nullptr && g_kernel_trap_hook(*frame)) return;
    if (vector == kNmi && put_nmi_off(*frame)) return;
    crash_on_kernel_trap(*frame, vector == kDoubleFault ? read_cr2() : cr2);
  } else if (frame->from_user()) {
    interrupts_enable();
    linux::handle_user_trap(*frame, cr2);
  } else {
    if (g_kernel_trap_hook != nullptr && g_kernel_trap_hook(*frame)) return;
    if (debug::take_kernel_trap(*frame)) return;
    // Only copies may touch the app's memory; any other fault of the kernel is a bug, also at an address of the app.
    if (!has_fixup(*frame)) crash_on_kernel_trap(*frame, cr2);
    if (!brought_in(*frame, cr2)) apply_fixup(*frame);
  }
  if (!frame->from_user()) return;
  interrupts_disable();
  prepare_return_to_user(*frame);
}

// True: SYSRET may be used to go back.
extern "C" [[gnu::visibility("hidden")]] bool syscall_dispatch(TrapFrame* frame) {
  interrupts_enable();
  linux::handle_syscall(*frame);
  interrupts_disable();
  if (!g_nmi_is_put_off && linux::may_return_at_once(*frame) && may_use_sysret(*frame)) return true;
  prepare_return_to_user(*frame);
  return may_use_sysret(*frame);
}

void enter_user(TrapFrame* frame) {
  interrupts_disable();
  prepare_return_to_user(*frame);
  restore_and_return(frame);
}

void traps_initialize() {
  for (int vector = 0; vector < 256; ++vector) {
    uint64_t at = reinterpret_cast<uint64_t>(trap_stubs) + uint64_t(vector) * 16;
    bool from_app = vector == kBreakpoint || vector == kOverflow;
    uint8_t stack = vector == kNmi            ? kStackForNmi
                    : vector == kDoubleFault  ? kStackForDoubleFault
                    : vector == kMachineCheck ? kStackForMachineCheck
                                              : 0;
    g_gates[vector] = {uint16_t(at),       kKernelCode,        stack, from_app ? kUserInterruptGate : kInterruptGate,
                       uint16_t(at >> 16), uint32_t(at >> 32), 0};
  }
  struct [[gnu::packed]] {
    uint16_t limit;
    uint64_t base;
  } pointer = {sizeof g_gates - 1, reinterpret_cast<uint64_t>(g_gates)};
  asm volatile("lidt %0" ::"m"(pointer));

  constexpr uint32_t kStar = 0xC0000081, kLstar = 0xC0000082, kCstar = 0xC0000083, kFmask = 0xC0000084;
  write_msr(kStar, uint64_t{0x23} << 48 | uint64_t{kKernelCode} << 32);
  write_msr(kLstar, reinterpret_cast<uint64_t>(&syscall_entry));
  write_msr(kCstar, 0);
  write_msr(kFmask, kSyscallFlagMask);
}

}  // namespace kernel
