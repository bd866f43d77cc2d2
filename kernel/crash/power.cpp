// The two ways out: off, or from the start. Each tries what the machine has, one after the other.
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/crash/crash.h"

namespace kernel {

namespace {

AfterCrash g_after = AfterCrash::Reboot;

void short_delay() {
  for (int i = 0; i < 1000; ++i) in8(0x80);  // a port read is about a microsecond on real hardware
}

}  // namespace

void crash_set_after(AfterCrash what) {
  g_after = what;
}
AfterCrash crash_after() {
  return g_after;
}

void power_off() {
  interrupts_disable();
  // ACPI PM1a control (ACPI 6.4, 4.8.3.2.1): SLP_EN and the S5 type that QEMU's q35 (0x604), Bochs and pc (0xB004)
  // take.
  out16(0x604, 0x2000);
  short_delay();
  out16(0xB004, 0x2000);
  short_delay();
  reboot();
}

void reboot() {
  interrupts_disable();
  out8(0xCF9, 0x02);  // reset control register of ICH9: system reset, then the CPU too
  out8(0xCF9, 0x06);
  short_delay();
  for (int i = 0; i < 100 && (in8(0x64) & 2) != 0; ++i) short_delay();
  out8(0x64, 0xFE);  // keyboard controller: pulse the reset line
  short_delay();
  // A triple fault is what is left.
  struct [[gnu::packed]] {
    uint16_t limit;
    uint64_t base;
  } empty{};
  asm volatile("lidt %0; int3" : : "m"(empty));
  halt_forever();
}

}  // namespace kernel
