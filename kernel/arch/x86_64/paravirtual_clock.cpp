#include "kernel/arch/x86_64/paravirtual_clock.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/cpuid.h"
#include "kernel/library/log.h"
#include "kernel/memory/physical.h"

namespace kernel {
namespace {

constexpr uint32_t kWallClockMsr = 0x4B564D00, kSystemTimeMsr = 0x4B564D01;  // the "new" ones
constexpr uint32_t kSignatureLeaf = 0x40000000, kFeatureLeaf = 0x40000001;
constexpr uint32_t kClockSource2 = 1 << 3;  // KVM_FEATURE_CLOCKSOURCE2: the new registers are there
constexpr uint64_t kEnabled = 1;
constexpr uint64_t kWallClockOffset = 64;  // in the page that both are written to

bool has_clock() {
  if (!g_cpu.hypervisor) return false;
  const CpuidResult signature = cpuid(kSignatureLeaf);
  // "KVMKVMKVM\0\0\0"; an old KVM gives 0 for its highest leaf and means kFeatureLeaf.
  if (signature.ebx != 0x4B4D564B || signature.ecx != 0x564B4D56 || signature.edx != 0x4D) return false;
  return (cpuid(kFeatureLeaf).eax & kClockSource2) != 0;
}

}  // namespace

ParavirtualClock paravirtual_clock() {
  if (!has_clock()) return {};
  auto page = allocate_page(PageOwner::Dma);
  if (page.is_error()) return {};
  const uint64_t physical = page.value();
  // The wall clock is written once, at the write to its register; the system time from now until the register is 0.
  write_msr(kWallClockMsr, physical + kWallClockOffset);
  write_msr(kSystemTimeMsr, physical | kEnabled);
  ParavirtualTime time{};
  ParavirtualWallClock wall{};
  const bool is_good = read_consistently(*direct_map<volatile ParavirtualTime>(physical), time);
  const bool has_wall =
      read_consistently(*direct_map<volatile ParavirtualWallClock>(physical + kWallClockOffset), wall);
  ParavirtualClock clock{};
  clock.tsc = read_tsc();
  write_msr(kSystemTimeMsr, 0);
  free_pages(physical, 1);
  if (is_good) clock.tsc_hz = paravirtual_tsc_hz(time);
  if (clock.tsc_hz == 0) {
    log(LogLevel::Warning, "KVM's clock makes no sense: multiplier %u, shift %d, version %u; the TSC is calibrated",
        time.tsc_to_system_multiplier, time.tsc_shift, time.version);
    return {};
  }
  if (has_wall && wall.nanoseconds < 1'000'000'000)
    clock.wall_ns = int64_t{wall.seconds} * 1'000'000'000 + wall.nanoseconds +
                    static_cast<int64_t>(paravirtual_ns(time, clock.tsc));
  return clock;
}

}  // namespace kernel
