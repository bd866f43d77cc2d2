// Futexes whose word names their owner: FUTEX_LOCK_PI and its kin, and what happens to one whose owner ends. With one
// CPU and no priorities, inheritance is the hand-over alone.
#pragma once

#include "kernel/linux/futex_table.h"

namespace kernel::linux {

Result<FutexKey> futex_key(uint64_t address, bool is_private);  // futex_calls.cpp; Invalid, Fault

Result<uint64_t> lock_owner_futex(uint64_t address, const FutexKey& key, uint64_t deadline_ns);
Result<uint64_t> try_lock_owner_futex(uint64_t address, const FutexKey& key);
Result<uint64_t> unlock_owner_futex(uint64_t address, const FutexKey& key);

}  // namespace kernel::linux
