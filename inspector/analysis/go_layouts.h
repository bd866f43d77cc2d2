// How the structures of Go's runtime are laid out in releases that are known, for programs without debug information
// (-ldflags=-w), which would tell. Another release has another layout, and nothing is guessed of it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "inspector/analysis/go_runtime.h"

namespace mortem::inspector {

// By GoRuntime's names. Empty: that release's layout is not known.
std::map<std::string, GoRuntime::Field> go_layout(std::string_view version);

}  // namespace mortem::inspector
