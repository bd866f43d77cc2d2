// The one funnel for every fatal end: report on the console, dump into a slot, power off or reboot.
#pragma once

#include <cstdint>

#include "kernel/arch/x86_64/trap_frame.h"
#include "snapshot/format/notes.h"

namespace kernel {

struct CrashReason {
  mortem::format::ReasonKind kind;
  int signal = 0;       // of the app
  int signal_code = 0;  // si_code
  int exit_status = 0;  // of an exit
  bool has_fault_address = false;
  uint64_t fault_address = 0;
  const char* message = "";  // one line
  bool goes_on = false;      // the program does, after the dump (resume/resume.h)
  bool can_be_resumed = false;
};

// Never returns. `frame`: the registers of the moment (user registers for the app's own ends, kernel registers for a
// panic); null: taken here. Interrupts are off from here on; a second entry goes straight to the smaller report.
[[noreturn]] void crash(const CrashReason& reason, const TrapFrame* frame);

// For the kernel's own ends. Takes the caller's registers. printf's conversions as in log().
[[noreturn]] void panic(const char* format, ...) __attribute__((format(printf, 1, 2)));

#define KERNEL_ASSERT(condition) \
  ((condition) ? (void)0 : ::kernel::panic("assertion failed: %s, %s:%d", #condition, __FILE__, __LINE__))

// A trap in the kernel that no fixup answers (page fault, double fault, NMI, …): called by the trap dispatcher.
[[noreturn]] void crash_on_kernel_trap(const TrapFrame& frame, uint64_t cr2);

// Called once at boot when the disk is known: finds the dump partition, reserves the static buffers.
void crash_prepare();

// What happens after the dump; from the kernel command line (`on-crash=reboot|stop`).
enum class AfterCrash : uint8_t { Reboot, PowerOff };
void crash_set_after(AfterCrash what);
[[noreturn]] void power_off();  // ACPI (QEMU's 0x604), then reset, then halt
[[noreturn]] void reboot();

}  // namespace kernel
