// /proc/self/{comm,stat,status}, /proc/self/task and /proc/thread-self.
#pragma once

#include "kernel/fs/tree.h"

namespace kernel::linux {

Result<void> add_thread_files(TreeDirectory& proc, TreeDirectory& self);

}  // namespace kernel::linux
