// Vectors 32–255.
#pragma once

#include <cstdint>

namespace kernel {

void dispatch_interrupt(uint8_t vector);  // called with interrupts disabled

}  // namespace kernel
