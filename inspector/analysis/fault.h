// A fault of the processor, explained: what the instruction at the crash did wrong.
#pragma once

#include <optional>
#include <string>

#include "inspector/analysis/crash_scene.h"
#include "inspector/analysis/fault_access.h"

namespace mortem::inspector {

struct Fault {
  std::string text;                   // "write of 8 bytes to 0x10: null `conn` + offset 16 of `struct connection.next`"
  std::optional<FaultAccess> access;  // of memory, or the call of what is no code
  bool stack_overflow = false;
};

struct FaultFacts {
  int signal = 0, code = 0;
  std::optional<uint32_t> trap;
  uint64_t error_code = 0;  // of a page fault
  std::optional<uint64_t> address;
};

// Of SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP that the processor raised.
Fault explain_fault(const CrashScene& scene, const FaultFacts& facts);

}  // namespace mortem::inspector
