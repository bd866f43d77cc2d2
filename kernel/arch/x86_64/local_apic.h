// The local APIC (Intel SDM vol. 3, chapter 10): x2APIC where the CPU has it, memory-mapped otherwise.
#pragma once

#include <cstdint>

#include "kernel/library/result.h"

namespace kernel {

inline constexpr uint8_t kTimerVector = 0x30, kFirstMessageVector = 0x40, kSpuriousVector = 0xFF;

Result<void> local_apic_initialize();
void local_apic_end_of_interrupt();
uint32_t local_apic_id();
inline constexpr uint32_t kLocalApicTimerDivider = 16;
void local_apic_timer_start(uint32_t count);  // one shot, in units of the bus clock / kLocalApicTimerDivider
uint32_t local_apic_timer_left();
void local_apic_interrupt_self(uint8_t vector);  // it comes when interrupts are on

}  // namespace kernel
