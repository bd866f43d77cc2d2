// Stands in for parts that have not landed yet; goes when they have.

#include "kernel/crash/crash.h"
#include "kernel/linux/linux.h"
#include "kernel/task/process.h"

#define WEAK [[gnu::weak]]
namespace kernel {
WEAK Thread* g_threads;
WEAK Thread* g_current_thread;
WEAK uint8_t g_fatal_siginfo[128];
WEAK size_t area_count() { return 0; }
WEAK const MemoryArea& area_at(size_t) {
  static constinit MemoryArea none{};
  return none;
}
WEAK std::span<const uint8_t> module_table() { return {}; }
WEAK std::span<const uint64_t> auxiliary_vector() { return {}; }
WEAK const char* command_line() { return ""; }
namespace linux {
WEAK void handle_syscall(TrapFrame& frame) { panic("syscall %lu", frame.rax); }
WEAK void handle_user_trap(TrapFrame& frame, uint64_t cr2) { crash_on_kernel_trap(frame, cr2); }
WEAK bool handle_kernel_fault_on_user_memory(uint64_t, uint64_t) { return false; }
WEAK void before_return_to_user(TrapFrame&) {}
WEAK void start_program() { panic("no program"); }
}  // namespace linux
}  // namespace kernel
