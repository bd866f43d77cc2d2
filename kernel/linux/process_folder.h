// /proc/self.
#pragma once

#include "kernel/fs/tree.h"
#include "kernel/task/process.h"

namespace kernel::linux {

// As /proc/self/maps shows it: "[heap]", a path; empty: it has no name.
const char* area_name(const MemoryArea& area);

Result<void> add_process_folder(TreeDirectory& proc, const char* program_path);

}  // namespace kernel::linux
