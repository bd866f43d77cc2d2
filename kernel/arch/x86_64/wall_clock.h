// What time it is at boot: the kernel command line's wall-clock-ns, the hypervisor's clock, or the CMOS clock (Motorola
// MC146818).
#pragma once

#include <cstdint>

namespace kernel {

// Unix time; 0: no clock makes sense. `from_hypervisor_ns`: what it says, 0: nothing.
int64_t wall_clock_at_boot_ns(int64_t from_hypervisor_ns);

}  // namespace kernel
