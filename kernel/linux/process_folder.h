// /proc/self.
#pragma once

#include "kernel/fs/tree.h"

namespace kernel::linux {

Result<void> add_process_folder(TreeDirectory& proc, const char* program_path);

}  // namespace kernel::linux
