// The DWARF sections of one ELF file, decompressed where need be.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "inspector/elf/elf_image.h"

namespace mortem::inspector::index {

using Bytes = std::span<const uint8_t>;

struct DwarfSections {
  Bytes information, abbreviations, text, line_text, text_offsets, addresses, lines, ranges, range_lists, aranges;
};

// Keeps the file that the spans of `sections` point into.
class DwarfSectionsOwner {
 public:
  explicit DwarfSectionsOwner(std::shared_ptr<const ElfImage> image);
  // Sections that were found by others.
  DwarfSectionsOwner(std::shared_ptr<const ElfImage> image, const DwarfSections& sections)
      : image_(std::move(image)), sections_(sections) {}
  const DwarfSections& sections() const { return sections_; }
  // One that few need, without `.debug_`; empty: there is none.
  Bytes load(std::string_view name) const;

 private:
  std::shared_ptr<const ElfImage> image_;
  DwarfSections sections_;
};

}  // namespace mortem::inspector::index
