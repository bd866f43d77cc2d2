// One sentence for a trap in the kernel.
#pragma once

#include <span>

#include "kernel/crash/crash.h"

namespace kernel {

// NUL-terminated, cut if `to` is too small.
void describe_kernel_trap(const TrapFrame& frame, uint64_t cr2, std::span<char> to);
CrashReason reason_of_kernel_trap(const TrapFrame& frame, uint64_t cr2, const char* message);
const char* trap_name(uint64_t vector);

}  // namespace kernel
