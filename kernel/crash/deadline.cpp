#include "kernel/crash/deadline.h"

#include "kernel/arch/x86_64/cpu.h"

namespace kernel {

namespace {
uint64_t g_multiplier = 0;
}

void crash_clock_prepare(uint64_t multiplier) {
  g_multiplier = multiplier;
}

uint64_t crash_clock_ns() {
  const uint64_t ticks = read_tsc();
  if (g_multiplier == 0) return ticks;
  return static_cast<uint64_t>(static_cast<unsigned __int128>(ticks) * g_multiplier >> 32);
}

Deadline Deadline::in_ms(uint64_t milliseconds) {
  Deadline deadline;
  deadline.at_ns_ = crash_clock_ns() + milliseconds * 1'000'000;
  return deadline;
}

bool Deadline::passed() const {
  return crash_clock_ns() >= at_ns_;
}

Deadline Deadline::at_most_ms(uint64_t milliseconds) const {
  Deadline other = in_ms(milliseconds);
  return other.at_ns_ < at_ns_ ? other : *this;
}

Deadline Deadline::share_of(uint64_t start_ns, uint64_t percent) const {
  Deadline share = *this;
  if (at_ns_ > start_ns) share.at_ns_ = start_ns + (at_ns_ - start_ns) / 100 * percent;
  return share;
}

}  // namespace kernel
