// A new qcow2 file without content (QEMU's docs/interop/qcow2.txt, version 3).
#pragma once

#include <cstdint>

#include "snapshot/result.h"

namespace mortem::tools {

Result<void> write_empty_qcow2(int file, uint64_t size);  // of the disk, bytes

}  // namespace mortem::tools
