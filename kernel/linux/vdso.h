// Maps the vDSO and its data page into the app.
#pragma once

#include <cstdint>

#include "kernel/library/result.h"

namespace kernel::linux {

Result<uint64_t> map_vdso();  // address of its ELF header (AT_SYSINFO_EHDR)

}  // namespace kernel::linux
