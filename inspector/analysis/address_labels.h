// Where an address is, for people: in which module, in whose stack.
#pragma once

#include <string>
#include <vector>

#include "inspector/target/target.h"

namespace mortem::inspector {

class AddressLabels {
 public:
  explicit AddressLabels(const Target& target);        // which must outlive this
  const TargetRegion* region(uint64_t address) const;  // null: none
  const CoreModule* module(uint64_t address) const;    // null: none
  // The thread in whose stack it is: of those whose stack pointer is in the same region, the nearest below. What stands
  // below all stack pointers belongs to no thread that lives.
  const TargetThread* thread(uint64_t address) const;
  std::string text(uint64_t address) const;  // "libc.so.6+0x1d2", "stack of thread 7", "memory of its own"

 private:
  struct StackPointer {
    uint64_t pointer;
    const TargetThread* thread;
  };
  const Target& target_;
  std::vector<StackPointer> stacks_;  // by pointer
};

}  // namespace mortem::inspector
