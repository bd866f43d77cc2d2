// Which Go made a program.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "inspector/elf/elf_image.h"

namespace mortem::inspector {

// "go1.19.8": what the linker wrote into .go.buildinfo (debug/buildinfo of Go 1.18 and newer); empty: unknown.
std::string go_version(const ElfImage& image);
// 19 of "go1.19.8"; nothing of "devel …".
std::optional<int> go_release(std::string_view version);

}  // namespace mortem::inspector
