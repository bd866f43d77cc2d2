// The processor: feature bits, control registers, MSRs, interrupt flag, ports, random numbers, time stamp.
#pragma once

#include <cstdint>

namespace kernel {

struct CpuFeatures {
  bool smep, smap, nx, xsave, avx, rdrand, rdseed, fsgsbase, umip, invariant_tsc, hypervisor, pcid;
  uint64_t xcr0;        // enabled state components, 3 (x87, SSE) without XSAVE
  uint32_t xsave_size;  // bytes of the standard-format area for xcr0; 512 without XSAVE
};
extern CpuFeatures g_cpu;

// Per-CPU data (one CPU now; entry.S reaches it by its own address: gs stays the app's, there is no SWAPGS).
struct PerCpu {
  uint64_t kernel_stack;  // top of the current thread's kernel stack; offset 0: entry.S
  uint64_t user_stack;    // scratch for the syscall entry; offset 8: entry.S
};
extern "C" [[gnu::visibility("hidden")]] PerCpu g_per_cpu;
void set_kernel_stack(uint64_t top);  // TSS.rsp0 and PerCpu

bool is_emulated();  // by QEMU's TCG

uint8_t in8(uint16_t port);
uint16_t in16(uint16_t port);
uint32_t in32(uint16_t port);
void out8(uint16_t port, uint8_t value);
void out16(uint16_t port, uint16_t value);
void out32(uint16_t port, uint32_t value);

uint64_t read_msr(uint32_t number);
void write_msr(uint32_t number, uint64_t value);
uint64_t read_tsc();
uint64_t read_cr2();
uint64_t read_cr3();
void flush_tlb();

#if __STDC_HOSTED__  // unit tests: a process may do none of it, and says what happens instead
void interrupts_enable();
void interrupts_disable();
bool interrupts_enabled();
#else  // at every lock and every call of the app's: not worth a call each
inline void interrupts_enable() {
  asm volatile("sti" ::: "memory");
}
inline void interrupts_disable() {
  asm volatile("cli" ::: "memory");
}
inline bool interrupts_enabled() {
  uint64_t flags;
  asm volatile("pushfq; popq %0" : "=r"(flags));
  return (flags & 0x200) != 0;
}
#endif
// Called with interrupts disabled: those that wait have their turn.
void let_interrupts_in();
// Enables interrupts, halts until one comes, disables them again. Called with interrupts disabled.
void wait_for_interrupt();

uint64_t get_fs_base();
void set_fs_base(uint64_t value);
uint64_t get_user_gs_base();  // the GS_BASE register, also while in the kernel
void set_user_gs_base(uint64_t value);

// XSAVE (or FXSAVE) of all enabled components; `area` is 64-byte aligned, g_cpu.xsave_size bytes. The save leaves
// XCR0 at byte 464 of the area, where NT_X86_XSTATE's readers look for it.
void save_extended_state(void* area);
void restore_extended_state(const void* area);
void initial_extended_state(void* area);  // what a new program starts with

// From the generator that random.cpp seeds.
uint64_t random64();
void random_bytes(void* to, uint64_t size);

[[noreturn]] void halt_forever();

}  // namespace kernel
