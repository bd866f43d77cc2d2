#include "inspector/symbols/index/dwarf_sections.h"

#include <elf.h>

namespace mortem::inspector::index {

DwarfSectionsOwner::DwarfSectionsOwner(std::shared_ptr<const ElfImage> image) : image_(std::move(image)) {
  sections_.information = load(".debug_info");
  sections_.abbreviations = load(".debug_abbrev");
  sections_.text = load(".debug_str");
  sections_.line_text = load(".debug_line_str");
  sections_.text_offsets = load(".debug_str_offsets");
  sections_.addresses = load(".debug_addr");
  sections_.lines = load(".debug_line");
  sections_.ranges = load(".debug_ranges");
  sections_.range_lists = load(".debug_rnglists");
  sections_.aranges = load(".debug_aranges");
}

Bytes DwarfSectionsOwner::load(std::string_view name) {
  const ElfSection* section = image_->section(name);
  if (!section || section->type == SHT_NOBITS) return {};
  if ((section->flags & SHF_COMPRESSED) == 0) {
    const auto bytes = image_->bytes();
    if (section->offset > bytes.size() || bytes.size() - section->offset < section->size) return {};
    return bytes.subspan(section->offset, section->size);
  }
  auto expanded = image_->section_bytes(*section);
  if (!expanded) return {};
  return expanded_.emplace_back(std::move(*expanded));
}

}  // namespace mortem::inspector::index
