// /tmp: a file system in memory.
#pragma once

#include "kernel/fs/inode.h"

namespace kernel::linux {

Result<Inode*> make_temporary_file_system();  // its root directory

}  // namespace kernel::linux
