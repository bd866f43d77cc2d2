// The C++ exception that ended the program, found in its memory by the layout of the Itanium C++ ABI: no symbols are
// needed but the names of the runtime's exported functions on the stack.
#pragma once

#include <optional>
#include <string>

#include "inspector/analysis/stack.h"
#include "inspector/target/target.h"

namespace mortem::inspector {

struct CxxException {
  std::string type;                 // "std::runtime_error"
  std::optional<std::string> what;  // what() of a standard exception, or the value of a number or text that was thrown
  bool left_noexcept = false;       // it was stopped by a function that lets none out
};

// Of a thread that std::terminate has ended. Nothing: it was not an exception, or it is not to be found for certain.
std::optional<CxxException> find_uncaught_exception(const Target& target, const Stack& stack);

}  // namespace mortem::inspector
