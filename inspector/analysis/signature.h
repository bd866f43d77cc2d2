// By what the same bug is known again: in another build, at other addresses and lines. Made of the kind of the end and
// of the names of the functions that led there; the kernel's own signature (of module and offset, in the dump's slot)
// tells crashes of one build apart without symbols.
#pragma once

#include <string>
#include <vector>

#include "inspector/analysis/reason.h"

namespace mortem::inspector {

struct CrashSignature {
  std::string id;                   // 16 hexadecimal digits; empty: nothing crashed
  std::string kind;                 // "SIGSEGV struct connection.next", "uncaught std::runtime_error"
  std::vector<std::string> frames;  // innermost first, at most five; a function's stable name
};

// Without a name a frame is known by module and offset: then only the same build gives the same signature. `stack`: of
// the crashed thread or goroutine; null: none.
CrashSignature crash_signature(const CrashReason& reason, const Stack* stack);

// Text without what differs from run to run: numbers, addresses, quoted paths' folders.
std::string stable_message(const std::string& message);

}  // namespace mortem::inspector
