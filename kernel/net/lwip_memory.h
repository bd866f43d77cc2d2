// How much of the kernel's memory lwIP has.
#pragma once

#include <cstdint>

namespace kernel::net {

uint64_t lwip_memory_used();   // bytes
uint64_t lwip_memory_limit();  // half of the RAM: a flood of packets leaves the program its half

}  // namespace kernel::net
