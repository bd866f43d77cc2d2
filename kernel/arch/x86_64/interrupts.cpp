#include "kernel/arch/x86_64/interrupts.h"

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/clock_arithmetic.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/cpu_initialize.h"
#include "kernel/arch/x86_64/cpuid.h"
#include "kernel/arch/x86_64/interrupt_table.h"
#include "kernel/arch/x86_64/local_apic.h"
#include "kernel/arch/x86_64/paravirtual_clock.h"
#include "kernel/arch/x86_64/wall_clock.h"
#include "kernel/crash/crash.h"

namespace kernel {

namespace {
constexpr uint64_t kNotArmed = ~uint64_t{0};
}
constinit OneShotTimer g_one_shot_timer{kNotArmed, false};

namespace {

struct Handler {
  InterruptHandler call;
  void* context;
};
Handler g_handlers[256];
uint8_t g_next_vector = kFirstMessageVector;

ClockParameters g_clock;
uint64_t g_timer_multiplier;  // local APIC counts per nanosecond, << 32
bool g_in_interrupt = false;

void mask_legacy_controllers() {
  out8(0x20, 0x11), out8(0xA0, 0x11);  // initialise, so that a spurious interrupt has a vector of its own
  out8(0x21, 0x20), out8(0xA1, 0x28);
  out8(0x21, 4), out8(0xA1, 2);
  out8(0x21, 1), out8(0xA1, 1);
  out8(0x21, 0xFF), out8(0xA1, 0xFF);
}

// TSC and local APIC timer over 5 ms of the PIT's channel 2 (Intel 8254, 1,193,182 Hz). False: something held this CPU
// up meanwhile (a busy host), what was counted may be several times too much.
bool calibrate_once(uint64_t& tsc_hz, uint64_t& timer_hz) {
  constexpr uint32_t kPitHz = 1193182, kTicks = kPitHz / 200;
  out8(0x61, (in8(0x61) & ~2) | 1);  // gate on, speaker off
  out8(0x43, 0xB0);                  // channel 2, both bytes, mode 0
  out8(0x42, kTicks & 0xFF);
  local_apic_timer_start(0xFFFFFFFF);
  const uint64_t start = read_tsc();
  out8(0x42, kTicks >> 8);  // counting starts here
  uint64_t last = start, longest_gap = 0;
  const auto look_at_clock = [&] {
    const uint64_t now = read_tsc();
    if (now - last > longest_gap) longest_gap = now - last;
    last = now;
  };
  // A port read takes 0.1 µs at least: a PIT that does not end within 100 ms is none.
  for (int left = 1'000'000; left > 0 && (in8(0x61) & 0x20) == 0; --left) look_at_clock();
  look_at_clock();
  const uint64_t ticks = last - start;
  const uint32_t counts = 0xFFFFFFFF - local_apic_timer_left();
  look_at_clock();
  local_apic_timer_start(0);
  tsc_hz = ticks * kPitHz / kTicks;
  timer_hz = uint64_t{counts} * kPitHz / kTicks;
  return longest_gap < ticks / 32;
}

// What holds a CPU up only adds to what is counted: of several bad attempts the one that counted least is the best.
void calibrate(uint64_t& tsc_hz, uint64_t& timer_hz) {
  constexpr int kAttempts = 40;  // 200 ms, on a host so busy that none succeeds
  if (calibrate_once(tsc_hz, timer_hz)) return;
  for (int attempt = 1; attempt < kAttempts; ++attempt) {
    uint64_t tsc, timer;
    const bool is_good = calibrate_once(tsc, timer);
    if (is_good || tsc < tsc_hz) tsc_hz = tsc;
    if (is_good || timer < timer_hz) timer_hz = timer;
    if (is_good) return;
  }
}

// QEMU's own local APIC counts nanoseconds of its clock (hw/intc/apic.c), so that the TSC can be measured against that,
// in a fifth of the time. What holds this CPU up between the two looks does no harm.
uint64_t tsc_hz_beside_timer(uint64_t timer_hz) {
  struct Moment {
    uint64_t tsc;
    uint32_t count;
  };
  const auto look = [] {
    constexpr int kLooks = 8;  // the quickest one says best when its count was read
    Moment best{};
    uint64_t shortest = ~uint64_t{0};
    for (int left = kLooks; left > 0; --left) {
      const uint64_t before = read_tsc();
      const uint32_t count = 0xFFFFFFFF - local_apic_timer_left();
      const uint64_t took = read_tsc() - before;
      if (took < shortest) shortest = took, best = {before + took / 2, count};
    }
    return best;
  };
  local_apic_timer_start(0xFFFFFFFF);
  const Moment first = look();
  while (0xFFFFFFFF - local_apic_timer_left() - first.count < timer_hz / 1000) {
  }
  const Moment last = look();
  local_apic_timer_start(0);
  return static_cast<uint64_t>(static_cast<unsigned __int128>(last.tsc - first.tsc) * timer_hz /
                               (last.count - first.count));
}

// CPUID 15h (crystal ratio) or a hypervisor's timing leaf, where they make sense; 0: not given.
uint64_t tsc_hz_from_cpuid() {
  CpuidResult ratio = cpuid(0x15);
  if (ratio.eax != 0 && ratio.ebx != 0 && ratio.ecx != 0) return uint64_t{ratio.ecx} * ratio.ebx / ratio.eax;
  if (g_cpu.hypervisor) {
    uint64_t khz = cpuid(0x40000010).eax;
    if (khz > 100'000 && khz < 100'000'000) return khz * 1000;
  }
  return 0;
}

}  // namespace

void dispatch_interrupt(uint8_t vector) {
  if (vector == kSpuriousVector || vector < kTimerVector) return;  // spurious: no end of interrupt
  if (vector == kTimerVector) {
    g_one_shot_timer.deadline_ns = kNotArmed;
    g_one_shot_timer.came = true;
  }
  g_in_interrupt = true;  // handlers run with interrupts off: they do not nest
  if (g_handlers[vector].call != nullptr) g_handlers[vector].call(g_handlers[vector].context);
  g_in_interrupt = false;
  local_apic_end_of_interrupt();
}

Result<MessageInterrupt> allocate_message_interrupt(InterruptHandler handler, void* context) {
  if (g_next_vector == kSpuriousVector) return Error::NoSpace;
  uint8_t vector = g_next_vector++;
  g_handlers[vector] = {handler, context};
  return MessageInterrupt{0xFEE00000 | uint64_t{local_apic_id()} << 12, vector};
}

uint64_t monotonic_ns() {
  return scale_ticks(read_tsc() - g_clock.base_tsc, g_clock.multiplier);
}
int64_t wall_clock_ns() {
  return g_clock.wall_offset_ns == 0 ? 0 : g_clock.wall_offset_ns + int64_t(monotonic_ns());
}
ClockParameters clock_parameters() {
  return g_clock;
}
void set_wall_clock(int64_t now_ns) {
  g_clock.wall_offset_ns = now_ns - int64_t(monotonic_ns());
}
const ClockParameters* clock_place() {
  return &g_clock;
}

bool is_in_interrupt() {
  return g_in_interrupt;
}

bool timer_interrupt_came() {
  const bool came = g_one_shot_timer.came;
  g_one_shot_timer.came = false;
  return came;
}

void arm_timer(uint64_t deadline_ns) {
  // One that comes earlier is left alone: setting it is slow (an exit of the virtual machine), a switch of threads
  // moves the deadline every time, and whoever gets the early interrupt arms the timer again.
  if (g_one_shot_timer.deadline_ns != 0 && g_one_shot_timer.deadline_ns <= deadline_ns) return;
  g_one_shot_timer.deadline_ns = deadline_ns;
  uint64_t now = monotonic_ns();
  uint64_t distance = deadline_ns > now ? deadline_ns - now : 1;
  constexpr uint64_t kLongest = 1'000'000'000;  // callers wait in a loop: an early interrupt is allowed
  if (distance > kLongest) distance = kLongest;
  uint64_t count = scale_ticks(distance, g_timer_multiplier) + 1;
  local_apic_timer_start(count > 0xFFFFFFFF ? 0xFFFFFFFF : uint32_t(count));
}

namespace {

// Frequencies of the TSC and of the local APIC's timer, and what a paravirtual clock says.
ParavirtualClock start_clocks(uint64_t& tsc_hz, uint64_t& timer_hz) {
  mask_legacy_controllers();
  if (Result<void> done = local_apic_initialize(); !done) panic("no memory to map the local APIC");
  if (is_emulated()) {
    timer_hz = 1'000'000'000 / kLocalApicTimerDivider;
    tsc_hz = tsc_hz_beside_timer(timer_hz);
  } else {
    calibrate(tsc_hz, timer_hz);
  }
  if (uint64_t exact = tsc_hz_from_cpuid(); exact != 0) tsc_hz = exact;
  const ParavirtualClock paravirtual = paravirtual_clock();
  if (paravirtual.tsc_hz != 0) tsc_hz = paravirtual.tsc_hz;
  if (tsc_hz < 1'000'000 || timer_hz < 1'000)
    panic("clock calibration failed: TSC %lu Hz, APIC timer %lu Hz", tsc_hz, timer_hz);
  return paravirtual;
}

}  // namespace

void interrupts_initialize() {
  uint64_t tsc_hz = 0, timer_hz = 0;
  const ParavirtualClock paravirtual = start_clocks(tsc_hz, timer_hz);
  g_clock.base_tsc = g_boot_info.early_tsc;
  g_clock.multiplier = multiplier_for(tsc_hz);
  g_timer_multiplier = (timer_hz << 32) / 1'000'000'000ull;
  const int64_t wall = wall_clock_at_boot_ns(paravirtual.wall_ns);
  // KVM's is of the moment at which it was asked, any other of now.
  const bool is_paravirtual = wall != 0 && wall == paravirtual.wall_ns;
  const uint64_t moment =
      is_paravirtual ? scale_ticks(paravirtual.tsc - g_clock.base_tsc, g_clock.multiplier) : monotonic_ns();
  g_clock.wall_offset_ns = wall == 0 ? 0 : wall - int64_t(moment);
}

void interrupts_resume(uint64_t now_ns) {
  uint64_t tsc_hz = 0, timer_hz = 0;
  start_clocks(tsc_hz, timer_hz);
  g_clock.multiplier = multiplier_for(tsc_hz);
  g_timer_multiplier = (timer_hz << 32) / 1'000'000'000ull;
  // The TSC began anew with the machine: its zero lies before that by what the guest had run.
  g_clock.base_tsc =
      read_tsc() - static_cast<uint64_t>((static_cast<unsigned __int128>(now_ns) << 32) / g_clock.multiplier);
  g_one_shot_timer = {kNotArmed, true};
  g_in_interrupt = false;
}

}  // namespace kernel
