// Interrupts off for a scope, and back to what they were.
#pragma once

#include "kernel/arch/x86_64/cpu.h"

namespace kernel {

class InterruptGuard {
 public:
  InterruptGuard() : were_enabled_(interrupts_enabled()) { interrupts_disable(); }
  ~InterruptGuard() {
    if (were_enabled_) interrupts_enable();
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  bool were_enabled_;
};

}  // namespace kernel
