// What random64() and random_bytes() (cpu.h) are fed with besides what the processor has.
#pragma once

#include <cstdint>

namespace kernel {

void random_mix(const void* from, uint64_t size);

}  // namespace kernel
