// The crash path's own clock: the time stamp counter and a limit for the whole path, set once. Every loop that waits
// for a device asks it, so that the path ends in bounded time whatever the devices do.
#pragma once

#include <cstdint>

namespace kernel {

// `multiplier`: of ClockParameters (ns = ticks * multiplier >> 32); 0: not calibrated yet, one tick counts as 1 ns.
void crash_clock_prepare(uint64_t multiplier);
uint64_t crash_clock_ns();  // from an arbitrary start

class Deadline {
 public:
  constexpr Deadline() = default;
  static Deadline in_ms(uint64_t milliseconds);
  bool passed() const;
  // The earlier of this one and now + milliseconds.
  Deadline at_most_ms(uint64_t milliseconds) const;
  // When that share of the time from `start_ns` to this deadline is over.
  Deadline share_of(uint64_t start_ns, uint64_t percent) const;

 private:
  uint64_t at_ns_ = ~uint64_t{0};
};

}  // namespace kernel
