// Debug information of which dwz moved parts to an alternate file, put together again: LLVM follows no reference from
// one file to another.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "inspector/elf/elf_image.h"

namespace mortem::inspector {

struct MergedSections {
  std::vector<uint8_t> information, abbreviations, text, line_text;  // .debug_info, _abbrev, _str, _line_str
  // Null: it is not one of them, and the file's own.
  const std::vector<uint8_t>* find(std::string_view name) const;
};

// The alternate file's sections behind the file's own, each reference to them moved. Sizes of entries stay, so that all
// other offsets stay what they were. Lines that the alternate file names are unknown afterwards. Nothing: one of them
// is broken, or has forms for which that is not enough (dwz makes none of these).
std::optional<MergedSections> merge_alternate(const std::shared_ptr<const ElfImage>& file,
                                              const std::shared_ptr<const ElfImage>& alternate);

}  // namespace mortem::inspector
