// KVM's clock ("pvclock"; Linux: Documentation/virt/kvm/x86/msr.rst, MSR_KVM_WALL_CLOCK_NEW and
// MSR_KVM_SYSTEM_TIME_NEW): the hypervisor says how fast the TSC runs and what time it is. Read once, at boot: from
// then on the TSC is the clock, as KVM keeps it for a guest of one CPU.
#pragma once

#include <cstdint>

namespace kernel {

// struct pvclock_vcpu_time_info. The version is odd while the hypervisor writes.
struct ParavirtualTime {
  uint32_t version, padding;
  uint64_t tsc_timestamp;  // when `system_time` was
  uint64_t system_time;    // nanoseconds since the hypervisor's boot of this guest
  uint32_t tsc_to_system_multiplier;
  int8_t tsc_shift;
  uint8_t flags;
  uint8_t more_padding[2];
};
static_assert(sizeof(ParavirtualTime) == 32);

// struct pvclock_wall_clock: the Unix time at which system_time was 0.
struct ParavirtualWallClock {
  uint32_t version, seconds, nanoseconds;
};
static_assert(sizeof(ParavirtualWallClock) == 12);

// A copy that the hypervisor did not change meanwhile; false: it never rests, or has written nothing.
template <typename Clock>
bool read_consistently(const volatile Clock& shared, Clock& copy) {
  constexpr int kPatience = 1'000'000;
  for (int tries = 0; tries < kPatience; ++tries) {
    const uint32_t before = shared.version;
    if (before == 0) return false;  // the first content has version 2
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    auto* to = reinterpret_cast<uint32_t*>(&copy);
    const auto* from = reinterpret_cast<const volatile uint32_t*>(&shared);
    for (unsigned index = 0; index < sizeof copy / 4; ++index) to[index] = from[index];
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if ((before & 1) == 0 && shared.version == before) return true;
  }
  return false;
}

// Nanoseconds since the hypervisor's boot of the guest, at `tsc`. A moment before the timestamp, by a TSC that was read
// earlier, is the timestamp's.
constexpr uint64_t paravirtual_ns(const ParavirtualTime& time, uint64_t tsc) {
  const uint64_t passed = tsc >= time.tsc_timestamp ? tsc - time.tsc_timestamp : 0;
  const int shift = time.tsc_shift;
  const auto ticks = static_cast<unsigned __int128>(passed);
  const unsigned __int128 shifted = shift >= 0 ? ticks << shift : ticks >> -shift;
  return time.system_time + static_cast<uint64_t>(shifted * time.tsc_to_system_multiplier >> 32);
}

// The inverse of the scaling: 0 for one that makes no sense.
constexpr uint64_t paravirtual_tsc_hz(const ParavirtualTime& time) {
  constexpr int kMostShift = 31;  // a TSC of 1 Hz to 2^61 Hz would do with less
  if (time.tsc_to_system_multiplier == 0 || time.tsc_shift > kMostShift || time.tsc_shift < -kMostShift) return 0;
  const unsigned __int128 ratio =
      (static_cast<unsigned __int128>(1'000'000'000) << 64) / time.tsc_to_system_multiplier;  // 32 binary places more
  const unsigned __int128 hz = ratio >> (32 + time.tsc_shift);
  return hz <= UINT64_MAX ? static_cast<uint64_t>(hz) : 0;
}

struct ParavirtualClock {
  uint64_t tsc_hz;  // 0: there is no such clock, or it makes no sense
  int64_t wall_ns;  // Unix time at `tsc`; 0: not given
  uint64_t tsc;
};
// Asks KVM. Without KVM it touches nothing.
ParavirtualClock paravirtual_clock();

}  // namespace kernel
