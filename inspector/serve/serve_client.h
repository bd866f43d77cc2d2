// One client of a target that does not run, from its first byte to its last.
#pragma once

#include <functional>

#include "inspector/symbols/symbolizer.h"
#include "inspector/target/target.h"

namespace mortem::inspector {

struct ServeOptions {
  std::function<void()> first_write;  // the client changes something: only its own view of the target
  std::function<bool()> stop_wanted;  // asked whenever a signal interrupts the waiting
};

// Reads packets from `in` and writes answers to `out` until the client is gone. Its changes go with it.
void serve_client(const Target& target, Symbolizer& symbolizer, int in, int out, const ServeOptions& options);

}  // namespace mortem::inspector
