// The message of a Rust panic that is on its way, out of the program's memory: what the program wrote to standard error
// may have gone elsewhere, or be of an earlier panic.
#pragma once

#include <optional>
#include <string>

#include "inspector/analysis/stack.h"
#include "inspector/target/target.h"

namespace mortem::inspector {

// Of a thread that is in Rust's panic machinery: panic=abort, a panic within a panic, a hook that aborts. Nothing: it
// is not, the panic's value is no text, or it is not to be found for certain. `target`: completed by its modules'
// files.
std::optional<std::string> find_rust_panic(const Target& target, Symbolizer& symbolizer, const StackReader& reader,
                                           const Stack& stack);

}  // namespace mortem::inspector
