// The GUID partition table (UEFI 2.10, section 5.3).
#pragma once

#include "kernel/drivers/block_device.h"

namespace kernel {

// First partition of a type on `device`. NoDevice: the disk has no such partition, or no table; Io: it could not be
// read or both copies of the table are damaged (logged).
Result<Partition> find_partition_on(BlockDevice& device, const uint8_t (&type)[16]);

}  // namespace kernel
