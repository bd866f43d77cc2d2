#include "kernel/arch/x86_64/local_apic.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/cpuid.h"
#include "kernel/memory/page_table.h"

namespace kernel {

namespace {

constexpr uint32_t kApicBaseMsr = 0x1B;
enum Register : uint32_t {
  kId = 0x20,
  kEnd = 0xB0,
  kSpurious = 0xF0,
  kCommand = 0x300,
  kTimer = 0x320,
  kLocal1 = 0x360,
  kInitial = 0x380,
  kCurrent = 0x390,
  kDivide = 0x3E0
};

bool g_x2apic;
uint64_t g_registers;  // virtual, of the memory-mapped form

uint32_t read(Register which) {
  if (g_x2apic) return uint32_t(read_msr(0x800 + which / 16));
  return *reinterpret_cast<volatile uint32_t*>(g_registers + which);
}
void write(Register which, uint32_t value) {
  if (g_x2apic)
    write_msr(0x800 + which / 16, value);
  else
    *reinterpret_cast<volatile uint32_t*>(g_registers + which) = value;
}

}  // namespace

Result<void> local_apic_initialize() {
  constexpr uint64_t kEnable = 1 << 11, kX2apic = 1 << 10;
  g_x2apic = cpuid(1).ecx >> 21 & 1;
  uint64_t base = read_msr(kApicBaseMsr);
  if (g_x2apic) {
    write_msr(kApicBaseMsr, base | kEnable | kX2apic);
  } else {
    write_msr(kApicBaseMsr, base | kEnable);
    g_registers = TRY(map_device_memory(base & 0x000FFFFFFFFFF000, kPageSize));
  }
  write(kSpurious, 0x100 | kSpuriousVector);
  write(kDivide, 3);  // by kLocalApicTimerDivider
  write(kTimer, kTimerVector);
  constexpr uint32_t kNmi = 4 << 8;  // Intel SDM vol. 3, 11.5.1; some firmware leaves the pin masked
  write(kLocal1, kNmi);
  return {};
}

void local_apic_end_of_interrupt() {
  write(kEnd, 0);
}
uint32_t local_apic_id() {
  return g_x2apic ? read(kId) : read(kId) >> 24;
}
void local_apic_timer_start(uint32_t count) {
  write(kInitial, count);
}
// Intel SDM vol. 3, 11.6.1 (a fixed interrupt with the shorthand "self") and 11.12.11.
void local_apic_interrupt_self(uint8_t vector) {
  constexpr uint32_t kSelfMsr = 0x83F, kToSelf = 1 << 18;
  if (g_x2apic)
    write_msr(kSelfMsr, vector);
  else
    write(kCommand, kToSelf | vector);
}
uint32_t local_apic_timer_left() {
  return read(kCurrent);
}

}  // namespace kernel
