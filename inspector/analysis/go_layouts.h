// How the structures of Go's runtime are laid out in releases that are known, for programs without debug information
// (-ldflags=-w), which would tell. Another release has another layout, and nothing is guessed of it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "inspector/analysis/go_runtime.h"
#include "inspector/elf/elf_image.h"

namespace mortem::inspector {

// "go1.19.8": what the linker wrote into .go.buildinfo (debug/buildinfo of Go 1.18 and newer); empty: unknown.
std::string go_version(const ElfImage& image);
// By GoRuntime's names. Empty: that release's layout is not known.
std::map<std::string, GoRuntime::Field> go_layout(std::string_view version);

}  // namespace mortem::inspector
