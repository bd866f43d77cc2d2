// Called once by kernel_main; the others when a dump is resumed on another processor.
#pragma once

#include <cstdint>

namespace kernel {

void cpu_initialize();         // features, control registers, extended state
void interrupts_initialize();  // interrupt controllers, clock

// Null, or what this processor lacks that the memory of the dump counts on.
const char* cpu_resume();
void interrupts_resume(uint64_t now_ns);  // monotonic_ns() goes on from there

}  // namespace kernel
