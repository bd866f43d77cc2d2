#include "kernel/crash/dump_windows.h"

#include "kernel/crash/dump_plan.h"
#include "kernel/crash/modules.h"

namespace kernel {

void DumpWindows::add(uint64_t start, uint64_t end) {
  if (count_ < kCapacity && start < end) windows_[count_++] = {page_down(start), page_up(end)};
}

bool DumpWindows::visit(const ThreadState& thread) {
  if (thread.registers_known) {
    const uint64_t red_zone = 128;  // AMD64 psABI 3.2.2
    const uint64_t stack = thread.registers.rsp > red_zone ? thread.registers.rsp - red_zone : 0;
    add(stack, stack + kStackWindow);
  }
  // A page each for the guard is not there anyway; a damaged record must not keep more than a stack's worth.
  const uint64_t bottom = thread.kernel_stack.bottom, top = thread.kernel_stack.top;
  if (bottom < top && top - bottom <= kStackWindow) add(bottom, top);
  return count_ < kCapacity;
}

void DumpWindows::collect(const CrashState& state) {
  count_ = 0;
  ModuleReader modules;
  while (modules.next()) add(modules.entry().start, modules.entry().start + kPageSize);
  if (state.in_kernel) add(state.frame.rsp, state.frame.rsp + kStackWindow);
  for_each_thread(state, *this);
}

DumpWindows::Part DumpWindows::part_at(uint64_t address, uint64_t end) const {
  uint64_t inside_to = address, outside_to = end;
  for (size_t i = 0; i < count_; ++i) {
    const Window& window = windows_[i];
    if (window.start <= address && address < window.end) {
      if (window.end > inside_to) inside_to = window.end;
    } else if (window.start > address && window.start < outside_to) {
      outside_to = window.start;
    }
  }
  if (inside_to > address) return {inside_to < end ? inside_to : end, true};
  return {outside_to, false};
}

}  // namespace kernel
