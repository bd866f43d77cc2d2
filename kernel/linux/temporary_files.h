// /tmp and /dev/shm: file systems in memory (Linux: tmpfs).
#pragma once

#include "kernel/fs/inode.h"

namespace kernel::linux {

// Its root directory. `parent`: what ".." is there; null: the root itself. Its files may take half of the memory
// together.
Result<Inode*> make_temporary_file_system(uint64_t device, Inode* parent);

}  // namespace kernel::linux
