#include "kernel/arch/x86_64/cpu.h"

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/cpu_initialize.h"
#include "kernel/arch/x86_64/cpuid.h"

namespace kernel {

CpuFeatures g_cpu;
extern "C" [[gnu::visibility("hidden")]] bool g_smap_enabled;

namespace {

constexpr uint32_t kFsBase = 0xC0000100, kGsBase = 0xC0000101;

uint64_t read_cr4() {
  uint64_t value;
  asm volatile("mov %%cr4, %0" : "=r"(value));
  return value;
}
void write_cr4(uint64_t value) {
  asm volatile("mov %0, %%cr4" ::"r"(value) : "memory");
}

// What boot.S has not, of g_cpu.
void switch_features_on() {
  constexpr uint64_t kFxsave = 1 << 9, kSimdExceptions = 1 << 10, kGlobalPages = 1 << 7, kUmip = 1 << 11,
                     kFsGsBase = 1 << 16, kOsXsave = 1 << 18, kSmep = 1 << 20, kSmap = 1 << 21;
  uint64_t cr4 = read_cr4() | kGlobalPages | kFxsave | kSimdExceptions;
  if (g_cpu.umip) cr4 |= kUmip;
  if (g_cpu.fsgsbase) cr4 |= kFsGsBase;
  if (g_cpu.xsave) cr4 |= kOsXsave;
  if (g_cpu.smep) cr4 |= kSmep;
  if (g_cpu.smap) cr4 |= kSmap;
  write_cr4(cr4);
}

void enable_extended_state() {
  asm volatile("xsetbv" ::"c"(0), "a"(uint32_t(g_cpu.xcr0)), "d"(uint32_t(g_cpu.xcr0 >> 32)));
}

}  // namespace

void cpu_initialize() {
  CpuidResult one = cpuid(1), seven = cpuid(7), state = cpuid(0xD, 0), power = cpuid(0x80000007);
  g_cpu.nx = g_boot_info.has_no_execute;
  g_cpu.smep = seven.ebx >> 7 & 1;
  g_cpu.smap = seven.ebx >> 20 & 1;
  g_cpu.fsgsbase = seven.ebx & 1;
  g_cpu.umip = seven.ecx >> 2 & 1;
  g_cpu.rdrand = one.ecx >> 30 & 1;
  g_cpu.rdseed = seven.ebx >> 18 & 1;
  g_cpu.pcid = one.ecx >> 17 & 1;
  g_cpu.hypervisor = one.ecx >> 31 & 1;
  g_cpu.invariant_tsc = power.edx >> 8 & 1;
  g_cpu.xsave = one.ecx >> 26 & 1;

  switch_features_on();
  g_smap_enabled = g_cpu.smap;

  g_cpu.xcr0 = 3;
  g_cpu.xsave_size = 512;
  if (g_cpu.xsave) {
    constexpr uint64_t kAvx = 4, kAvx512 = 0xE0;  // x87 and SSE always; AVX-512 is all of its three components or none
    uint64_t offered = uint64_t{state.edx} << 32 | state.eax;
    if (offered & kAvx) g_cpu.xcr0 |= kAvx;
    if ((offered & kAvx) && (offered & kAvx512) == kAvx512) g_cpu.xcr0 |= kAvx512;
    enable_extended_state();
    g_cpu.xsave_size = cpuid(0xD, 0).ebx;
  }
  g_cpu.avx = (g_cpu.xcr0 & 4) != 0;
}

// More than the old processor had is not used: the dump's records keep their sizes.
const char* cpu_resume() {
  const CpuidResult one = cpuid(1), seven = cpuid(7);
  if (g_cpu.smep && (seven.ebx >> 7 & 1) == 0) return "this processor has no SMEP, which the dump's had";
  if (g_cpu.smap && (seven.ebx >> 20 & 1) == 0) return "this processor has no SMAP, which the dump's had";
  if (g_cpu.fsgsbase && (seven.ebx & 1) == 0) return "this processor has no RDFSBASE, which the dump's had";
  if (g_cpu.umip && (seven.ecx >> 2 & 1) == 0) return "this processor has no UMIP, which the dump's had";
  if (g_cpu.xsave && (one.ecx >> 26 & 1) == 0) return "this processor has no XSAVE, which the dump's had";
  g_cpu.rdrand = one.ecx >> 30 & 1;
  g_cpu.rdseed = seven.ebx >> 18 & 1;
  switch_features_on();
  asm volatile("mov %0, %%dr7" ::"r"(uint64_t{0}));
  if (!g_cpu.xsave) return nullptr;
  const CpuidResult state = cpuid(0xD, 0);
  if ((g_cpu.xcr0 & ~(uint64_t{state.edx} << 32 | state.eax)) != 0)
    return "this processor lacks vector registers that the dump's had";
  enable_extended_state();
  return cpuid(0xD, 0).ebx == g_cpu.xsave_size ? nullptr : "this processor keeps its vector registers in another form";
}

uint8_t in8(uint16_t port) {
  uint8_t value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
uint16_t in16(uint16_t port) {
  uint16_t value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
uint32_t in32(uint16_t port) {
  uint32_t value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
void out8(uint16_t port, uint8_t value) {
  asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
void out16(uint16_t port, uint16_t value) {
  asm volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}
void out32(uint16_t port, uint32_t value) {
  asm volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

uint64_t read_msr(uint32_t number) {
  uint32_t low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
  return uint64_t{high} << 32 | low;
}
void write_msr(uint32_t number, uint64_t value) {
  asm volatile("wrmsr" ::"c"(number), "a"(uint32_t(value)), "d"(uint32_t(value >> 32)) : "memory");
}
uint64_t read_tsc() {
  uint32_t low, high;
  asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
  return uint64_t{high} << 32 | low;
}
uint64_t read_cr2() {
  uint64_t value;
  asm volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}
uint64_t read_cr3() {
  uint64_t value;
  asm volatile("mov %%cr3, %0" : "=r"(value));
  return value;
}

void flush_tlb() {
  asm volatile("mov %0, %%cr3" ::"r"(read_cr3()) : "memory");
}

bool is_emulated() {  // "TCGTCGTCGTCG"
  if (!g_cpu.hypervisor) return false;
  const CpuidResult signature = cpuid(0x40000000);
  return signature.ebx == 0x54474354 && signature.ecx == 0x43544743 && signature.edx == 0x47435447;
}

void let_interrupts_in() {
  asm volatile("sti; nop; cli" ::: "memory");  // none comes in right after sti: SDM volume 2, STI
}
void wait_for_interrupt() {
  asm volatile("sti; hlt; cli" ::: "memory");
}

// RDFSBASE and its like where the processor has them: an MSR costs tens of times as much.
uint64_t get_fs_base() {
  if (!g_cpu.fsgsbase) return read_msr(kFsBase);
  uint64_t value;
  asm volatile("rdfsbase %0" : "=r"(value));
  return value;
}
void set_fs_base(uint64_t value) {
  if (!g_cpu.fsgsbase) return write_msr(kFsBase, value);
  asm volatile("wrfsbase %0" ::"r"(value) : "memory");
}
uint64_t get_user_gs_base() {
  if (!g_cpu.fsgsbase) return read_msr(kGsBase);
  uint64_t value;
  asm volatile("rdgsbase %0" : "=r"(value));
  return value;
}
void set_user_gs_base(uint64_t value) {
  if (!g_cpu.fsgsbase) return write_msr(kGsBase, value);
  asm volatile("wrgsbase %0" ::"r"(value) : "memory");
}

void save_extended_state(void* area) {
  uint32_t low = uint32_t(g_cpu.xcr0), high = uint32_t(g_cpu.xcr0 >> 32);
  if (g_cpu.xsave)
    asm volatile("xsave64 (%0)" ::"r"(area), "a"(low), "d"(high) : "memory");
  else
    asm volatile("fxsave64 (%0)" ::"r"(area) : "memory");
  *reinterpret_cast<uint64_t*>(static_cast<uint8_t*>(area) + 464) = g_cpu.xcr0;
}
void restore_extended_state(const void* area) {
  uint32_t low = uint32_t(g_cpu.xcr0), high = uint32_t(g_cpu.xcr0 >> 32);
  if (g_cpu.xsave)
    asm volatile("xrstor64 (%0)" ::"r"(area), "a"(low), "d"(high) : "memory");
  else
    asm volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}
void initial_extended_state(void* area) {
  __builtin_memset(area, 0, g_cpu.xsave_size);
  uint8_t* bytes = static_cast<uint8_t*>(area);
  *reinterpret_cast<uint16_t*>(bytes) = 0x37F;        // FCW: all exceptions masked, 64-bit mantissa
  *reinterpret_cast<uint32_t*>(bytes + 24) = 0x1F80;  // MXCSR: all masked
  *reinterpret_cast<uint64_t*>(bytes + 464) = g_cpu.xcr0;
  if (g_cpu.xsave) *reinterpret_cast<uint64_t*>(bytes + 512) = 3;  // XSTATE_BV: these values stand in the area
}

void halt_forever() {
  for (;;) asm volatile("cli; hlt");
}

}  // namespace kernel
