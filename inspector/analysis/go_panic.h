// What a goroutine panics with, out of its runtime._panic: the text that Go's runtime prints for it (runtime/panic.go,
// printpanicval; runtime/error.go), also before the runtime has made that text itself.
#pragma once

#include <string>

#include "inspector/analysis/go_runtime.h"

namespace mortem::inspector {

// `goroutine`: address of its runtime.g. Empty: it does not panic, or the value is not in the target.
std::string go_panic_text(const GoRuntime& runtime, const Target& target, uint64_t goroutine);

}  // namespace mortem::inspector
