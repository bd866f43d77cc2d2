// The arithmetic of the clocks, against numbers of exact rational arithmetic (Python's integers), and KVM's protocol.
#include "kernel/arch/x86_64/clock_arithmetic.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "kernel/arch/x86_64/paravirtual_clock.h"

namespace kernel {
namespace {

TEST(Ticks, ScaleAcrossTheRollovers) {
  const uint64_t multiplier = multiplier_for(2'995'200'000);
  EXPECT_EQ(multiplier, 1433950085u);  // 10^9 * 2^32 // 2995200000
  // 2^32 ticks and its neighbours: nothing is cut to 32 bits.
  EXPECT_EQ(scale_ticks(0xFFFFFFFF, multiplier), 1433950084u);
  EXPECT_EQ(scale_ticks(0x100000000, multiplier), 1433950085u);
  EXPECT_EQ(scale_ticks(0x100000001, multiplier), 1433950085u);
  // The largest count: 2^64 - 1 ticks are 195 years.
  EXPECT_EQ(scale_ticks(~uint64_t{0}, multiplier), 6158768719171420159u);
  // A counter that passes 2^64 since the base: the difference is what counts.
  const uint64_t base = ~uint64_t{0} - 1'000;
  EXPECT_EQ(scale_ticks(uint64_t{2'000} - base, multiplier_for(1'000'000'000)), 3'001u);
}

TEST(Days, AcrossWhatOtherCountersCannot) {
  EXPECT_EQ(days_from_civil(1970, 1, 1), 0);
  EXPECT_EQ(days_from_civil(2000, 2, 29), 11016);
  EXPECT_EQ(days_from_civil(2000, 3, 1), 11017);
  EXPECT_EQ(days_from_civil(2038, 1, 19), 24855);  // 2^31 seconds
  EXPECT_EQ(days_from_civil(2099, 12, 31), 47481);
  EXPECT_EQ(days_from_civil(2106, 2, 7), 49710);  // 2^32 seconds
}

struct Scale {
  uint64_t hz;
  int8_t shift;
  uint32_t multiplier;
  uint64_t second, most, year;  // nanoseconds of hz ticks, of 2^40 behind 12345, of a year behind 7
};
// Factors as KVM chooses them (kvm_get_time_scale in Linux's arch/x86/kvm/x86.c).
constexpr Scale kScales[] = {
    {2'995'200'000, -1, 2867900170, 999'999'999, 367091234105, 31535999989661700},
    {1'000'000'000, 1, 2147483648, 1'000'000'000, 1099511640121, 31536000000000007},
    {800'000'000, 1, 2684354560, 1'000'000'000, 1374389547065, 31536000000000007},
    {5'000'000'000, -2, 3435973836, 999'999'999, 219902337849, 31535999992657459},
    {19'200'000, 6, 3495253333, 999'999'999, 57266230620217, 31535999996992499},
};

TEST(ParavirtualClock, ScalesAsTheSpecificationSays) {
  for (const Scale& scale : kScales) {
    ParavirtualTime time{};
    time.tsc_to_system_multiplier = scale.multiplier;
    time.tsc_shift = scale.shift;
    time.tsc_timestamp = ~uint64_t{0} - 5 - (uint64_t{1} << 60);  // large, and no rollover below
    const uint64_t start = time.tsc_timestamp;
    EXPECT_EQ(paravirtual_ns(time, start + scale.hz), scale.second) << scale.hz;
    time.system_time = 12345;
    EXPECT_EQ(paravirtual_ns(time, start + (uint64_t{1} << 40)), scale.most) << scale.hz;
    time.system_time = 7;
    EXPECT_EQ(paravirtual_ns(time, start + scale.hz * 86400 * 365), scale.year) << scale.hz;
    EXPECT_EQ(paravirtual_ns(time, start), 7u);
    EXPECT_EQ(paravirtual_ns(time, start - 1), 7u) << "a TSC from before the timestamp is no year later";
    // The frequency comes back to within what the factor's 32 bits hold.
    EXPECT_NEAR(double(paravirtual_tsc_hz(time)), double(scale.hz), double(scale.hz) / (1u << 30)) << scale.hz;
  }
}

TEST(ParavirtualClock, NoFrequencyFromNonsense) {
  ParavirtualTime time{};
  EXPECT_EQ(paravirtual_tsc_hz(time), 0u);
  time.tsc_to_system_multiplier = 1;
  for (const int8_t shift : {int8_t{-128}, int8_t{127}, int8_t{-32}, int8_t{32}}) {
    time.tsc_shift = shift;
    EXPECT_EQ(paravirtual_tsc_hz(time), 0u) << int(shift);
  }
  time.tsc_shift = -31;  // 2^95 * 10^9: more than a counter holds
  EXPECT_EQ(paravirtual_tsc_hz(time), 0u);
}

TEST(ParavirtualClock, NotWhileItIsWritten) {
  ParavirtualWallClock shared{0, 5, 6}, copy{};
  EXPECT_FALSE(read_consistently<ParavirtualWallClock>(shared, copy)) << "nothing was written yet";
  shared.version = 3;
  EXPECT_FALSE(read_consistently<ParavirtualWallClock>(shared, copy)) << "the writer never ends";
  shared.version = 4;
  ASSERT_TRUE(read_consistently<ParavirtualWallClock>(shared, copy));
  EXPECT_EQ(copy.seconds, 5u);
  EXPECT_EQ(copy.nanoseconds, 6u);
}

// A writer keeps both numbers equal under the protocol: no reader sees them differ.
TEST(ParavirtualClock, NeverHalfOfAnUpdate) {
  volatile ParavirtualWallClock shared{2, 0, 0};
  std::atomic<bool> ends{false};
  std::thread writer([&] {
    for (uint32_t round = 1; !ends; ++round) {
      shared.version = shared.version + 1;
      std::atomic_thread_fence(std::memory_order_seq_cst);
      shared.seconds = round;
      shared.nanoseconds = round;
      std::atomic_thread_fence(std::memory_order_seq_cst);
      shared.version = shared.version + 1;
      for (int rest = 0; rest < 200; ++rest) __builtin_ia32_pause();
    }
  });
  for (uint32_t seen = 0; seen < 5'000;) {
    ParavirtualWallClock copy{};
    if (!read_consistently(shared, copy)) continue;
    EXPECT_EQ(copy.seconds, copy.nanoseconds);
    seen = copy.seconds;
  }
  ends = true;
  writer.join();
}

}  // namespace
}  // namespace kernel
