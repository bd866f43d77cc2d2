// futex(2): who waits at a word of the app's memory.
#pragma once

#include <cstdint>

#include "kernel/linux/app.h"

namespace kernel::linux {

Result<uint64_t> restart_futex_wait(const Restart& restart);
// For the kernel's own wake-ups at a word that may be shared (CLONE_CHILD_CLEARTID).
void wake_futex_shared(uint64_t address, uint32_t count);
// A thread ends: its robust mutexes and those it owns by FUTEX_LOCK_PI are marked FUTEX_OWNER_DIED and go to the next
// owner.
void release_futexes(AppThread& thread);

}  // namespace kernel::linux
