// The order in which the kernel comes up.

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/cpu_initialize.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/crash/crash.h"
#include "kernel/crash/reboot_record.h"
#include "kernel/debug/selftest.h"
#include "kernel/drivers/console.h"
#include "kernel/drivers/drivers.h"
#include "kernel/fs/inode.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/linux/linux.h"
#include "kernel/memory/guest_description.h"
#include "kernel/memory/memory_initialize.h"
#include "kernel/memory/page_table.h"
#include "kernel/memory/physical.h"
#include "kernel/task/scheduler.h"

namespace kernel {

extern "C" {
using Constructor = void (*)();
[[gnu::visibility("hidden")]] extern const Constructor constructors_start[], constructors_end[];
}

namespace {

constexpr size_t kMainStackSize = 64 << 10;

[[noreturn]] void start();

// The boot stack stands among the kernel's variables; what goes deep runs above a guard page.
[[noreturn]] void start_on_guarded_stack() {
  Result<KernelStack> stack = allocate_kernel_stack(kMainStackSize);
  if (!stack) panic("no memory for the first stack; give the VM more");
  set_kernel_stack(stack.value().top);
  asm volatile("movq %0, %%rsp; xorl %%ebp, %%ebp; call *%1; ud2" ::"r"(stack.value().top), "r"(&start) : "memory");
  __builtin_unreachable();
}

}  // namespace

extern "C" [[noreturn, gnu::visibility("hidden")]] void kernel_main() {
  console_initialize();
  cpu_initialize();
  segments_initialize();
  traps_initialize();
  physical_initialize();
  page_tables_initialize();
  for (const Constructor* constructor = constructors_start; constructor < constructors_end; ++constructor)
    (*constructor)();
  start_on_guarded_stack();
}

namespace {

[[noreturn]] void start() {
  command_line_initialize(g_boot_info.command_line);
  guest_description_initialize();
  interrupts_initialize();
  log(LogLevel::Info, "kernel at %#lx, direct map at %#lx, %lu MiB of memory", g_boot_info.load_bias, g_direct_map_base,
      ram_page_count() * kPageSize >> 20);
  reboot_record_begin();
  if (setting_is("selftest", "1")) selftest();
  if (setting_is("idle", "poll") || (is_emulated() && !setting_is("idle", "halt"))) poll_before_halt(true);
  drivers_initialize();
  crash_set_after(setting_is("on-crash", "stop") || setting_is("on-crash", "gdb") ? AfterCrash::PowerOff
                                                                                  : AfterCrash::Reboot);
  crash_prepare();
  if (setting_is("provoke-crash", "boot")) panic("provoked: boot");
  if (Result<void> mounted = mount_root(); !mounted)
    log(LogLevel::Warning, "no root file system (error %d)", static_cast<int>(mounted.error()));
  linux::start_program();
}

}  // namespace

}  // namespace kernel
