// What the clocks calculate, apart from the hardware that they read.
#pragma once

#include <cstdint>

namespace kernel {

// Ticks of a counter → nanoseconds: a fixed-point factor with 32 binary places.
constexpr uint64_t scale_ticks(uint64_t ticks, uint64_t multiplier) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(ticks) * multiplier >> 32);
}
constexpr uint64_t multiplier_for(uint64_t hz) {
  return (uint64_t{1'000'000'000} << 32) / hz;
}

// Days from 1970-01-01 of the proleptic Gregorian calendar.
constexpr int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const int64_t era = year / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

}  // namespace kernel
