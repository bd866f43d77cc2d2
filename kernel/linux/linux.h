// The Linux ABI's doors: what the entry code calls.
#pragma once

#include <cstdint>

#include "kernel/arch/x86_64/trap_frame.h"

namespace kernel::linux {

// The SYSCALL instruction; interrupts enabled. The result goes into frame.rax.
void handle_syscall(TrapFrame& frame);
// A trap of the app (page fault: cr2 is given). Returns when the app may go on (page brought in, signal frame built).
void handle_user_trap(TrapFrame& frame, uint64_t cr2);
// A page fault in the kernel on a user address (user_access.cpp): true if the page is there now, false: use the fixup.
bool handle_kernel_fault_on_user_memory(uint64_t address, uint64_t error_code);
// Before every return to the app: pending signals, stop requests.
void before_return_to_user(TrapFrame& frame);
// After a system call: nothing of that is to be done, as after nearly all. Interrupts off.
bool may_return_at_once(const TrapFrame& frame);
// Starts the program named by the manifest and the kernel command line; enters it. Called once by the kernel's main.
[[noreturn]] void start_program();

}  // namespace kernel::linux
