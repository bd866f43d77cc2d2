#include "inspector/symbols/index/dwarf_sections.h"

namespace mortem::inspector::index {

DwarfSectionsOwner::DwarfSectionsOwner(std::shared_ptr<const ElfImage> image) : image_(std::move(image)) {
  sections_.information = load("info");
  sections_.abbreviations = load("abbrev");
  sections_.text = load("str");
  sections_.line_text = load("line_str");
  sections_.text_offsets = load("str_offsets");
  sections_.addresses = load("addr");
  sections_.lines = load("line");
  sections_.ranges = load("ranges");
  sections_.range_lists = load("rnglists");
  sections_.aranges = load("aranges");
}

Bytes DwarfSectionsOwner::load(std::string_view name) const {
  const ElfSection* section = image_->debug_section(name);
  return section ? image_->content(*section).value_or(Bytes{}) : Bytes{};
}

}  // namespace mortem::inspector::index
