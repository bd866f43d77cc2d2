// Classes with virtual destructors name operator delete; apart from heap.cpp, which is unit-tested on the host.
#include <cstddef>

#include "kernel/memory/heap.h"

void operator delete(void* pointer) noexcept { kernel::heap_free(pointer); }
void operator delete(void* pointer, size_t) noexcept { kernel::heap_free(pointer); }
