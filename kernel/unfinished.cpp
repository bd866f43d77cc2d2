// Stands in for parts that have not landed yet; goes when they have.

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/crash/crash.h"
#include "kernel/drivers/console.h"
#include "kernel/fs/inode.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/linux/linux.h"
#include "kernel/task/process.h"

#define WEAK [[gnu::weak]]
namespace kernel {
WEAK Thread* g_threads;
WEAK Thread* g_current_thread;
WEAK void command_line_initialize(const char*) {}
WEAK const char* setting(const char*) { return nullptr; }
WEAK bool setting_is(const char*, const char*) { return false; }
WEAK Result<void> mount_root() { return Error::NoDevice; }
WEAK void crash_prepare() {}
WEAK void crash_set_after(AfterCrash) {}
WEAK void power_off() {
  out16(0x604, 0x2000);
  halt_forever();
}
WEAK void panic(const char* format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  format_text_list(line, sizeof line, format, arguments);
  va_end(arguments);
  console_write("mortem: panic: ");
  console_write(line);
  console_write("\n");
  power_off();
}
WEAK void crash(const CrashReason& reason, const TrapFrame* frame) {
  panic("%s, rip %#lx", reason.message, frame != nullptr ? frame->rip : 0);
}
WEAK void crash_on_kernel_trap(const TrapFrame& frame, uint64_t cr2) {
  panic("trap %lu, error code %#lx, rip %#lx, cr2 %#lx", frame.vector, frame.error_code, frame.rip, cr2);
}
namespace linux {
WEAK void handle_syscall(TrapFrame& frame) { panic("syscall %lu", frame.rax); }
WEAK void handle_user_trap(TrapFrame& frame, uint64_t cr2) { crash_on_kernel_trap(frame, cr2); }
WEAK bool handle_kernel_fault_on_user_memory(uint64_t, uint64_t) { return false; }
WEAK void before_return_to_user(TrapFrame&) {}
WEAK void start_program() { panic("no program"); }
}  // namespace linux
}  // namespace kernel
