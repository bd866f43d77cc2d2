// What every entry into the kernel (trap, interrupt, syscall) leaves on the kernel stack.
#pragma once

#include <cstddef>
#include <cstdint>

#include "snapshot/format/registers.h"

namespace kernel {

inline constexpr uint64_t kSyscallVector = 0x100;  // no trap: entered by the SYSCALL instruction

// The general registers in the order of GeneralRegisters; entry.S pushes exactly this (static_asserts there).
struct TrapFrame {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
  uint64_t vector;      // Intel SDM vol. 3 table 6-1, or kSyscallVector
  uint64_t error_code;  // of the trap (0: it has none); for a syscall the call's number (Linux: orig_rax)
  uint64_t rip, cs, rflags, rsp, ss;

  bool from_user() const { return (cs & 3) == 3; }
  bool is_syscall() const { return vector == kSyscallVector; }

  // As Linux's user_regs_struct; segment bases and selectors that the frame does not hold are the caller's to add.
  mortem::format::GeneralRegisters registers() const;
};
static_assert(sizeof(TrapFrame) == 22 * 8);

}  // namespace kernel
