#include "inspector/symbols/index/embedded_sources.h"

#include "inspector/symbols/index/line_table.h"

namespace mortem::inspector::index {

bool may_embed_sources(const ElfImage& image) {
  const ElfSection* section = image.section(".comment");
  const auto content = section ? image.content(*section) : std::nullopt;
  if (!content) return true;
  return std::string_view(reinterpret_cast<const char*>(content->data()), content->size()).find("clang") !=
         std::string_view::npos;
}

EmbeddedSources::EmbeddedSources(DwarfFile& dwarf) {
  dwarf.prepare_all();
  for (const Unit& unit : dwarf.units()) {
    const auto header = unit.line_table ? LineHeader::read(dwarf, unit, *unit.line_table) : std::nullopt;
    for (uint64_t index = 0; header && header->has_file(index); ++index)
      if (const auto text = header->embedded_source(index))
        texts_.emplace(header->file(index, unit.folder).path, *text);
  }
}

std::optional<std::string_view> EmbeddedSources::find(const std::string& path) const {
  const auto found = texts_.find(path);
  return found == texts_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace mortem::inspector::index
