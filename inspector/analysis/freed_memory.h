// Whether an object was freed: found for certain in glibc's own lists, or not at all.
#pragma once

#include <cstdint>

#include "inspector/target/target.h"
#include "snapshot/core_file.h"

namespace mortem::inspector {

// `object` stands in a list of freed blocks of some thread (glibc 2.32 and newer, malloc/malloc.c: tcache). False: it
// is in use, or was freed long ago, or the allocator is another: not known.
bool is_freed(const snapshot::CoreFile& core, const Target& target, uint64_t object);

}  // namespace mortem::inspector
