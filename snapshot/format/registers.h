// The x86-64 register table: the one list that the trap frame, the crash report, the core's notes, the
// unwinder, gdb's target description and the inspector all read.
//
// Columns: name, field of MachineRegisters, size in bytes, gdb number (gdb/features/i386/64bit-core.xml order,
// -1: none), DWARF number (AMD64 psABI 1.0, figure 3.36, -1: none), index in Linux's user_regs_struct.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#define MORTEM_GENERAL_REGISTERS(X)    \
  X(r15, 8, 15, 15, 0)                 \
  X(r14, 8, 14, 14, 1)                 \
  X(r13, 8, 13, 13, 2)                 \
  X(r12, 8, 12, 12, 3)                 \
  X(rbp, 8, 6, 6, 4)                   \
  X(rbx, 8, 1, 3, 5)                   \
  X(r11, 8, 11, 11, 6)                 \
  X(r10, 8, 10, 10, 7)                 \
  X(r9, 8, 9, 9, 8)                    \
  X(r8, 8, 8, 8, 9)                    \
  X(rax, 8, 0, 0, 10)                  \
  X(rcx, 8, 2, 2, 11)                  \
  X(rdx, 8, 3, 1, 12)                  \
  X(rsi, 8, 4, 4, 13)                  \
  X(rdi, 8, 5, 5, 14)                  \
  X(orig_rax, 8, 57, -1, 15)           \
  X(rip, 8, 16, 16, 16)                \
  X(cs, 4, 18, 51, 17)                 \
  X(eflags, 4, 17, 49, 18)             \
  X(rsp, 8, 7, 7, 19)                  \
  X(ss, 4, 19, 52, 20)                 \
  X(fs_base, 8, 58, 58, 21)            \
  X(gs_base, 8, 59, 59, 22)            \
  X(ds, 4, 20, 53, 23)                 \
  X(es, 4, 21, 50, 24)                 \
  X(fs, 4, 22, 54, 25)                 \
  X(gs, 4, 23, 55, 26)

namespace mortem::format {

// One thread's general registers, in the order of Linux's user_regs_struct (the pr_reg of NT_PRSTATUS).
struct GeneralRegisters {
#define MORTEM_FIELD(name, size, gdb, dwarf, index) uint64_t name;
  MORTEM_GENERAL_REGISTERS(MORTEM_FIELD)
#undef MORTEM_FIELD
};
static_assert(sizeof(GeneralRegisters) == 27 * 8);
#define MORTEM_CHECK(name, size, gdb, dwarf, index) static_assert(offsetof(GeneralRegisters, name) == (index) * 8);
MORTEM_GENERAL_REGISTERS(MORTEM_CHECK)
#undef MORTEM_CHECK

struct RegisterDescription {
  const char* name;
  uint8_t size;          // bytes as gdb shows it
  int16_t gdb_number;    // -1: none
  int16_t dwarf_number;  // -1: none
  uint16_t offset;       // bytes into GeneralRegisters
};

// Not constinit data with relocations in the kernel's early boot: use only after the kernel has relocated itself.
inline constexpr std::array kGeneralRegisters = {
#define MORTEM_ROW(name, size, gdb, dwarf, index) \
  RegisterDescription{#name, size, gdb, dwarf, offsetof(GeneralRegisters, name)},
    MORTEM_GENERAL_REGISTERS(MORTEM_ROW)
#undef MORTEM_ROW
};

struct DescriptorTableRegister {
  uint64_t base;
  uint32_t limit;
  uint32_t reserved;
};

struct SegmentRegister {
  uint64_t base;
  uint32_t limit;
  uint16_t selector;
  uint16_t attributes;  // access rights as in a descriptor's bits 40–55
};

// Everything besides memory and devices that one CPU needs to go on from this moment (Intel SDM vol. 3, ch. 2).
// `general` are the registers of the context that crashed or was stopped (kernel registers when the kernel did).
struct MachineRegisters {
  GeneralRegisters general;
  uint64_t cr0, cr2, cr3, cr4, cr8;
  uint64_t efer, star, lstar, cstar, fmask;
  uint64_t fs_base, gs_base, kernel_gs_base;  // as the MSRs held them at the stop
  uint64_t apic_base, pat, tsc, tsc_aux;
  uint64_t dr0, dr1, dr2, dr3, dr6, dr7;
  uint64_t xcr0;
  DescriptorTableRegister gdtr, idtr;
  SegmentRegister tr, ldtr;
};

}  // namespace mortem::format
