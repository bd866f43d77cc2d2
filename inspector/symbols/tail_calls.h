// Calls that left no frame: a function whose last act is a call jumps there, and its own frame is gone (a tail call).
#pragma once

#include <cstdint>
#include <vector>

#include "inspector/symbols/call_sites.h"

namespace mortem::inspector {

// The tail calls that must have been made between the call that returns to `return_address` and the function that
// holds `callee`, innermost first, each as the address behind its jump. Empty: none, or it cannot be told. Of several
// ways only what all have in common at either end is given, as gdb does (gdb/dwarf2/loc.c, call_site_find_chain).
std::vector<uint64_t> infer_tail_calls(CallSites& calls, uint64_t return_address, uint64_t callee);

// Whether the call that returns to `return_address` entered the function that holds `callee`, and no tail call can have
// entered that function again. False where it cannot be told.
bool entered_by_call(CallSites& calls, uint64_t return_address, uint64_t callee);

}  // namespace mortem::inspector
