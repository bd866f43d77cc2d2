// `selftest=1` on the command line: does this (virtual) CPU do what a debugger needs? One line on the console, then
// power off. `mortem run` asks it before it trusts KVM: software KVMs interpret ring 0 and lose hardware breakpoints.

#include "kernel/debug/selftest.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/crash/crash.h"
#include "kernel/drivers/console.h"
#include "kernel/library/log.h"

namespace kernel {

namespace {

volatile uint64_t g_breakpoint_hits;

bool count_debug_trap(TrapFrame& frame) {
  constexpr uint64_t kDebug = 1, kResumeFlag = 0x10000;
  if (frame.vector != kDebug) return false;
  g_breakpoint_hits = g_breakpoint_hits + 1;
  frame.rflags |= kResumeFlag;
  asm volatile("mov %0, %%dr6" ::"r"(0ull));
  return true;
}

[[gnu::noinline]] void breakpoint_place() {
  asm volatile("nop");
}

const char* check() {
  g_kernel_trap_hook = count_debug_trap;
  asm volatile("mov %0, %%dr0" ::"r"(&breakpoint_place));
  asm volatile("mov %0, %%dr7" ::"r"(0x402ull));  // G0, execute
  breakpoint_place();
  asm volatile("mov %0, %%dr7" ::"r"(0x400ull));
  g_kernel_trap_hook = nullptr;
  if (g_breakpoint_hits != 1) return "a hardware breakpoint did not trap";
  uint64_t value;
  if (copy_from_kernel_checked(&value, 0xFFFF800000000000, 8)) return "an access to an unmapped page did not fault";
  return nullptr;
}

uint64_t timed_work_us() {
  uint64_t start = monotonic_ns();
  volatile uint64_t sum = 0;
  for (uint64_t i = 0; i < 1'000'000; ++i) sum = sum + i;
  return (monotonic_ns() - start) / 1000;
}

}  // namespace

void selftest() {
  char line[128];
  const char* failed = check();
  if (failed != nullptr)
    format_text(line, sizeof line, "selftest failed: %s\n", failed);
  else
    format_text(line, sizeof line, "selftest ok %lu\n", timed_work_us());
  console_write(line);
  power_off();
}

}  // namespace kernel
