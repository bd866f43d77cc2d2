// entry.S: the ways into the kernel and back to the app.
#pragma once

#include "kernel/arch/x86_64/trap_frame.h"

namespace kernel {

// GDT selectors, laid out as Linux lays them out, so that programs and debuggers see cs 0x33 and ss 0x2b.
inline constexpr uint16_t kKernelCode = 0x10, kKernelData = 0x18, kUserData = 0x2B, kUserCode = 0x33, kTaskSegment = 0x40;

void segments_initialize();  // GDT, TSS with its interrupt stacks
void traps_initialize();     // IDT, SYSCALL MSRs

// Loads all registers of the frame and returns to the app. `frame` stands at the top of its thread's kernel stack.
[[noreturn]] void enter_user(TrapFrame* frame);

// For the self-test: looks at traps of the kernel first; true: handled, go on. Null otherwise.
extern bool (*g_kernel_trap_hook)(TrapFrame& frame);

extern "C" {
[[gnu::visibility("hidden")]] extern char trap_stubs[];  // 256 stubs of 16 bytes
[[gnu::visibility("hidden")]] void syscall_entry();
[[gnu::visibility("hidden")]] void syscall_leaves_stack();  // the instruction of SYSRET's way that loads the app's stack
[[noreturn, gnu::visibility("hidden")]] void restore_and_return(TrapFrame* frame);
}

}  // namespace kernel
