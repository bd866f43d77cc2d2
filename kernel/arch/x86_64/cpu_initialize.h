// Called once by kernel_main.
#pragma once

namespace kernel {

void cpu_initialize();         // features, control registers, extended state
void interrupts_initialize();  // interrupt controllers, clock

}  // namespace kernel
