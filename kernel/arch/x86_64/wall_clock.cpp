#include "kernel/arch/x86_64/wall_clock.h"

#include "kernel/arch/x86_64/clock_arithmetic.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"

namespace kernel {

namespace {

uint8_t cmos(uint8_t index) {
  out8(0x70, index | 0x80);
  return in8(0x71);
}

struct ClockTime {
  uint8_t second, minute, hour, day, month, year;
  bool operator==(const ClockTime&) const = default;
};
ClockTime read_clock() { return {cmos(0), cmos(2), cmos(4), cmos(7), cmos(8), cmos(9)}; }

uint8_t from_bcd(uint8_t value) { return uint8_t((value >> 4) * 10 + (value & 15)); }

}  // namespace

int64_t wall_clock_at_boot_ns(int64_t from_hypervisor_ns) {
  if (const char* given = setting("wall-clock-ns"); given != nullptr) {
    int64_t value = 0;
    const char* at = given;
    while (*at >= '0' && *at <= '9' && value < INT64_MAX / 10 - 9) value = value * 10 + (*at++ - '0');
    if (at != given && *at == 0) return value;
    log(LogLevel::Warning, "kernel command line: wall-clock-ns=%s is not a number of nanoseconds; CMOS clock used",
        given);
  }
  if (from_hypervisor_ns > 0) return from_hypervisor_ns;
  ClockTime time = read_clock();
  for (int tries = 0; tries < 1000; ++tries) {  // two equal looks: no update in between
    ClockTime again = read_clock();
    if ((cmos(0x0A) & 0x80) == 0 && again == time) break;
    time = again;
  }
  uint8_t mode = cmos(0x0B);
  bool afternoon = (time.hour & 0x80) != 0;
  time.hour &= 0x7F;
  if ((mode & 4) == 0)
    time = {from_bcd(time.second), from_bcd(time.minute), from_bcd(time.hour),
            from_bcd(time.day),    from_bcd(time.month),  from_bcd(time.year)};
  if ((mode & 2) == 0) time.hour = uint8_t(time.hour % 12 + (afternoon ? 12 : 0));
  if (time.month < 1 || time.month > 12 || time.day < 1 || time.day > 31 || time.hour > 23 || time.minute > 59 ||
      time.second > 60 || time.year > 99)
    return 0;
  int64_t days = days_from_civil(2000 + time.year, time.month, time.day);
  // It counts whole seconds: the middle of this one is half a second wrong at most.
  return (days * 86400 + time.hour * 3600 + time.minute * 60 + time.second) * 1'000'000'000 + 500'000'000;
}

}  // namespace kernel
