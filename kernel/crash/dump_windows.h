// The small parts of memory that a dump of level Registers keeps: the stacks around the stack pointers, the kernel
// stacks, and the first page of each module (its ELF header, by which debuggers know the file).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/crash/crash_state.h"

namespace kernel {

class DumpWindows final : private ThreadVisitor {
 public:
  void collect(const CrashState& state);

  struct Part {
    uint64_t end;
    bool inside;
  };
  // How far from `address` on (to `end` at most) it is all inside of a window, or all outside.
  Part part_at(uint64_t address, uint64_t end) const;

 private:
  static constexpr size_t kCapacity = 256;
  struct Window {
    uint64_t start, end;
  };
  bool visit(const ThreadState& thread) override;
  void add(uint64_t start, uint64_t end);

  Window windows_[kCapacity];
  size_t count_ = 0;
};

}  // namespace kernel
