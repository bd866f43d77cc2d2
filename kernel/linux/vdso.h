// Maps the vDSO and its data page into the app.
#pragma once

#include <cstdint>

#include "kernel/library/result.h"

namespace kernel::linux {

Result<uint64_t> map_vdso();  // address of its ELF header (AT_SYSINFO_EHDR)
void vdso_clock_changed();    // its data page follows clock_parameters()

}  // namespace kernel::linux
