// The kernel thread that writes: file content that has waited long enough, the journal, and what fsync asks for. It
// alone sleeps while the disk works; the others wait for it.
#pragma once

#include "kernel/fs/ext2.h"

namespace kernel::ext2 {

// At boot, before there are threads, and in the writer's own thread: then its work is done on the spot.
bool is_writer();
DiskWait writer_wait();  // how it waits there

// Something was changed: the writer looks after it some seconds later. NoMemory: it could not be started.
Result<void> wake_writer_later(Volume& volume);
// Sleeps until the writer has done it.
Result<void> ask_writer(Volume& volume, Ext2Inode* inode, SyncKind kind);
// Sleeps until the writer has unmounted the volume, some seconds at most.
void ask_writer_to_unmount(Volume& volume);

}  // namespace kernel::ext2
