// /proc/sys: the settings that programs look at, as this kernel has them. None can be written.
#pragma once

#include "kernel/fs/tree.h"

namespace kernel::linux {

Result<void> add_system_settings(TreeDirectory& proc);

}  // namespace kernel::linux
