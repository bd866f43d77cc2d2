// The CMOS clock (Motorola MC146818), read once at boot; or the kernel command line's wall-clock-ns.
#pragma once

#include <cstdint>

namespace kernel {

int64_t wall_clock_at_boot_ns();  // Unix time; 0: the clock makes no sense

}  // namespace kernel
