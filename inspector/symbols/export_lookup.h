// One dynamic symbol by its name, through the hash table that the loader uses: most modules are asked for a few names.
#pragma once

#include <optional>
#include <string_view>

#include "inspector/elf/elf_image.h"

namespace mortem::inspector {

struct ExportAnswer {
  bool has_table = false;           // false: nobody knows without reading all of .dynsym
  std::optional<uint64_t> address;  // of the first definition of that name in .dynsym
};
ExportAnswer look_up_export(const ElfImage& image, std::string_view name);

}  // namespace mortem::inspector
