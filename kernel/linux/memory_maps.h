// /proc/self/maps, smaps and smaps_rollup.
#pragma once

#include "kernel/fs/tree.h"

namespace kernel::linux {

Result<void> add_memory_maps(TreeDirectory& self);

}  // namespace kernel::linux
