// /dev: the devices that every program expects.
#pragma once

#include "kernel/fs/tree.h"

namespace kernel {

Result<TreeDirectory*> make_device_files();

}  // namespace kernel
