// A test has no interrupts to turn off.
#include "kernel/arch/x86_64/cpu.h"

namespace kernel {

bool interrupts_enabled() {
  return false;
}
void interrupts_enable() {}
void interrupts_disable() {}

}  // namespace kernel
