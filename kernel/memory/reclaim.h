// Who can give pages back when none is free: caches. The page allocator asks them before it says NoMemory.
#pragma once

#include <cstddef>

namespace kernel {

// Frees up to about `wanted` pages (more is welcome) and returns how many became free. It is called in the middle of
// any allocation, its owner's own and those of interrupt handlers too, with interrupts off: it must not wait, read or
// write a disk, nor allocate; it leaves alone what is being changed, and every page that has other users
// (page_users): a shared mapping must go on seeing what the file shows.
using Reclaimer = size_t (*)(size_t wanted);

void register_reclaimer(Reclaimer reclaimer);  // for ever; at most kMaximumReclaimers, asked in their order
inline constexpr size_t kMaximumReclaimers = 8;

// Asks one after the other until `wanted` pages are free. Returns how many; inside of a reclaimer: none.
size_t reclaim_pages(size_t wanted);

}  // namespace kernel
