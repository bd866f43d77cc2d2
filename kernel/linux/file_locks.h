// Locks on files (flock(2), fcntl(2)). There is one process: its POSIX locks never stand in its own way, but those of
// an open file (flock, F_OFD_SETLK) do, between descriptors that were opened separately.
#pragma once

#include "kernel/linux/open_file.h"

namespace kernel::linux {

// The last descriptor of an open file is gone, and its locks with it.
void forget_file_locks(OpenFile& file);
// A descriptor of the file was closed, which ends the process' POSIX locks on it (fcntl(2), "Advisory record locking").
void forget_process_locks(OpenFile& file);

// fcntl's F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ kin; `user_lock`: struct flock.
enum class LockOwner : uint8_t { Process, OpenFile };
Result<uint64_t> get_record_lock(OpenFile& file, LockOwner owner, uint64_t user_lock);
enum class LockWait : bool { No, Yes };
Result<uint64_t> set_record_lock(OpenFile& file, LockOwner owner, uint64_t user_lock, LockWait wait);

}  // namespace kernel::linux
