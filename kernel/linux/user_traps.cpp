// Traps of the app: page faults bring pages in; everything else becomes the signal that Linux sends for it
// (arch/x86/kernel/traps.c, mm/fault.c).
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/crash/crash.h"
#include "kernel/debug/debugger.h"
#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/linux.h"
#include "kernel/linux/out_of_memory.h"
#include "kernel/linux/signals.h"
#include "kernel/task/address_space.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kFaultWrite = 2, kFaultFetch = 16;  // Intel SDM vol. 3, 4.7

Access access_of(uint64_t error_code) {
  if ((error_code & kFaultFetch) != 0) return Access::Execute;
  return (error_code & kFaultWrite) != 0 ? Access::Write : Access::Read;
}

// The program ran out of its stack: the address is in the gap that is kept free below it.
bool is_below_stack(uint64_t address) {
  const AreaList& areas = address_space().areas;
  const size_t next = areas.first_ending_after(address);
  return next < areas.size() && areas.at(next).kind == AreaKind::Stack &&
         areas.at(next).start - address <= kStackGuardGap;
}

// The same of a thread that the program made: it touched, near its stack pointer, the PROT_NONE pages that thread
// libraries put below a stack (pthread_attr_setguardsize(3)).
bool is_stack_guard(uint64_t address, uint64_t stack_pointer) {
  constexpr uint64_t kNear = 64 << 10;
  const AreaList& areas = address_space().areas;
  const size_t index = areas.first_ending_after(address);
  const uint64_t distance = address > stack_pointer ? address - stack_pointer : stack_pointer - address;
  return index < areas.size() && areas.at(index).start <= address && areas.at(index).protection == 0 &&
         distance <= kNear;
}

void page_fault(TrapFrame& frame, uint64_t address) {
  const Access access = access_of(frame.error_code);
  const FaultResult result = address < kUserEnd ? address_space().fault(address, access) : FaultResult::NotMapped;
  if (result == FaultResult::Resolved) return;
  if (result == FaultResult::NoMemory) end_out_of_memory(frame, address);

  SignalInformation information;
  const char* why = "";
  switch (result) {
    case FaultResult::PastEndOfFile:
      information.signal = kSigBus, information.code = kBusAdrErr, why = "past the end of the mapped file";
      break;
    case FaultResult::ReadFailed:
      information.signal = kSigBus, information.code = kBusAdrErr, why = "the mapped file could not be read";
      break;
    case FaultResult::AccessDenied:
      information.signal = kSigSegv, information.code = kSegvAccErr;
      why = is_stack_guard(address, frame.rsp) ? "stack overflow" : "access not permitted";
      break;
    default:
      information.signal = kSigSegv, information.code = kSegvMapErr;
      why = is_below_stack(address) ? "stack overflow" : "address not mapped";
  }
  information.address = address;
  static char message[128];
  format_text(message, sizeof message, "%s %#lx (%s)",
              access == Access::Execute ? "jump to"
              : access == Access::Write ? "write to"
                                        : "read of",
              address, why);
  force_signal(information, message, frame);
}

// Linux: fpu__exception_code, for #MF and #XM.
int floating_point_code(uint64_t vector) {
  alignas(64) static uint8_t area[4096];
  if (g_cpu.xsave_size > sizeof area) return 14;  // FPE_FLTUNK
  save_extended_state(area);
  uint16_t control, status;
  uint32_t mxcsr;
  __builtin_memcpy(&control, area, sizeof control);
  __builtin_memcpy(&status, area + 2, sizeof status);
  __builtin_memcpy(&mxcsr, area + 24, sizeof mxcsr);
  const uint32_t raised = vector == 16 ? status & ~uint32_t{control} : ~(mxcsr >> 7) & mxcsr;
  if ((raised & 0x01) != 0) return 7;  // FPE_FLTINV
  if ((raised & 0x04) != 0) return 3;  // FPE_FLTDIV
  if ((raised & 0x08) != 0) return 4;  // FPE_FLTOVF
  if ((raised & 0x12) != 0) return 5;  // FPE_FLTUND, denormals too
  if ((raised & 0x20) != 0) return 6;  // FPE_FLTRES
  return 0;
}

struct TrapSignal {
  int signal, code;
  bool has_address;  // si_addr is rip
  const char* message;
};

TrapSignal signal_of(uint64_t vector) {
  switch (vector) {
    case 0:
      return {kSigFpe, 1, true, "integer divide by zero or overflow"};  // FPE_INTDIV
    case 1:
      return {kSigTrap, 2, true, "debug trap"};  // TRAP_TRACE
    case 3:
      return {kSigTrap, kCodeKernel, false, "breakpoint"};
    case 4:
      return {kSigSegv, kCodeKernel, false, "INTO overflow"};
    case 5:
      return {kSigSegv, kCodeKernel, false, "BOUND range exceeded"};
    case 6:
      return {kSigIll, 2, true, "illegal instruction"};  // ILL_ILLOPN
    case 11:
      return {kSigBus, kCodeKernel, false, "segment not present"};
    case 12:
      return {kSigBus, kCodeKernel, false, "stack segment fault (non-canonical stack address)"};
    case 16:
      return {kSigFpe, floating_point_code(16), true, "x87 floating-point exception"};
    case 17:
      return {kSigBus, kBusAdrAln, false, "misaligned access with alignment check on"};
    case 19:
      return {kSigFpe, floating_point_code(19), true, "SSE floating-point exception"};
    default:
      return {kSigSegv, kCodeKernel, false, "general protection (bad address, alignment or privilege)"};
  }
}

}  // namespace

void handle_user_trap(TrapFrame& frame, uint64_t cr2) {
  current().frame = &frame;
  if (debug::take_trap(current(), frame)) return;
  g_last_trap = {.vector = frame.vector, .error_code = frame.error_code, .cr2 = cr2};
  constexpr uint64_t kPageFault = 14, kDeviceNotAvailable = 7;
  if (frame.vector == kPageFault) return page_fault(frame, cr2);
  KERNEL_ASSERT(frame.vector != kDeviceNotAvailable);  // the FPU is always on
  const TrapSignal trap = signal_of(frame.vector);
  SignalInformation information;
  information.signal = trap.signal;
  information.code = trap.code;
  if (trap.has_address) information.address = frame.rip;
  force_signal(information, trap.message, frame);
}

bool handle_kernel_fault_on_user_memory(uint64_t address, uint64_t error_code) {
  if (g_current_thread == nullptr) return false;
  interrupts_enable();  // a page of a file may have to be read from disk
  const FaultResult result = address_space().fault(address, access_of(error_code));
  interrupts_disable();
  // A call has no errno for it that programs expect: the end, as for the program's own access (Linux: its OOM killer).
  if (result == FaultResult::NoMemory && g_current_thread->kind == ThreadKind::App)
    end_out_of_memory(*current().frame, address);
  return result == FaultResult::Resolved;
}

}  // namespace kernel::linux
