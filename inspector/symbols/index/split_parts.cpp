#include "inspector/symbols/index/split_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mortem::inspector::index {
namespace {

Bytes section_of(const ElfImage& image, std::string_view name) {
  const ElfSection* section = image.debug_section(name);
  return section ? image.content(*section).value_or(Bytes{}) : Bytes{};
}

DwarfSections sections_of(const ElfImage& image) {
  DwarfSections sections;
  sections.information = section_of(image, "info.dwo");
  sections.abbreviations = section_of(image, "abbrev.dwo");
  sections.text = section_of(image, "str.dwo");
  sections.text_offsets = section_of(image, "str_offsets.dwo");
  sections.range_lists = section_of(image, "rnglists.dwo");
  return sections;
}

// A package keeps the sections of many .dwo files one behind the other; its index says which part is whose (DWARF 5,
// section 7.3.5; version 2 is GNU's, of DWARF 4, with other numbers for some sections).
class PackageIndex {
 public:
  explicit PackageIndex(const ElfImage& package) : package_(package), bytes_(section_of(package, "cu_index")) {
    ByteCursor cursor(bytes_, 0);
    const uint32_t first = cursor.u32();
    version_ = first == 2 ? 2 : first & 0xFFFF;
    columns_ = cursor.u32();
    units_ = cursor.u32();
    slots_ = cursor.u32();
    constexpr uint32_t kMost = 1 << 26;
    const bool known = !cursor.bad() && (version_ == 2 || version_ == 5) && columns_ <= 32 && units_ <= kMost &&
                       slots_ <= kMost && units_ <= slots_;
    if (!known) slots_ = 0;
  }

  bool is_there() const { return !bytes_.empty(); }
  std::optional<DwarfSections> find(uint64_t id) const {
    const auto row = row_of(id);
    if (!row) return std::nullopt;
    const DwarfSections whole = sections_of(package_);
    DwarfSections part;
    part.text = whole.text;
    const uint64_t table = kHeader + uint64_t{slots_} * 12, row_size = uint64_t{columns_} * 4;
    for (uint32_t column = 0; column < columns_; ++column) {
      const uint32_t kind = number(table + column * 4);
      const uint32_t offset = number(table + row_size * *row + column * 4);
      const uint32_t size = number(table + row_size * (uint64_t{units_} + *row) + column * 4);
      const auto slice = [&](Bytes section) {
        return offset <= section.size() && size <= section.size() - offset ? section.subspan(offset, size) : Bytes{};
      };
      if (kind == kInformation) part.information = slice(whole.information);
      if (kind == kAbbreviations) part.abbreviations = slice(whole.abbreviations);
      if (kind == kTextOffsets) part.text_offsets = slice(whole.text_offsets);
      if (kind == kRangeLists && version_ == 5) part.range_lists = slice(whole.range_lists);
    }
    return part;
  }

 private:
  static constexpr uint64_t kHeader = 16;
  static constexpr uint32_t kInformation = 1, kAbbreviations = 3, kTextOffsets = 6, kRangeLists = 8;

  uint32_t number(uint64_t offset) const { return ByteCursor(bytes_, offset).u32(); }

  // From 1 on; row 0 of the table has the sections' numbers.
  std::optional<uint32_t> row_of(uint64_t id) const {
    if (slots_ == 0 || (slots_ & (slots_ - 1)) != 0) return std::nullopt;
    const uint64_t mask = slots_ - 1, step = (id >> 32 & mask) | 1;
    for (uint64_t slot = id & mask, tried = 0; tried < slots_; slot = (slot + step) & mask, ++tried) {
      const uint32_t row = number(kHeader + uint64_t{slots_} * 8 + slot * 4);
      if (row == 0) return std::nullopt;
      if (ByteCursor(bytes_, kHeader + slot * 8).u64() == id) return row <= units_ ? std::optional(row) : std::nullopt;
    }
    return std::nullopt;
  }

  const ElfImage& package_;
  const Bytes bytes_;  // empty: the file is no package
  uint32_t version_ = 0, columns_ = 0, units_ = 0, slots_ = 0;
};

}  // namespace

std::unique_ptr<DwarfFile> part_in(std::shared_ptr<const ElfImage> image, const DwarfFile& linked,
                                   const Unit& skeleton) {
  const PackageIndex package(*image);
  const auto sections = package.is_there() ? package.find(skeleton.part_id) : std::optional(sections_of(*image));
  if (!sections) return nullptr;
  auto part = std::make_unique<DwarfFile>(std::move(image), *sections, linked, skeleton);
  return part->split_unit() ? std::move(part) : nullptr;
}

SplitParts::SplitParts(const SymbolFiles& files, const PathRules& rules) : files_(files), rules_(rules) {}

std::unique_ptr<DwarfFile> SplitParts::find(const DwarfFile& linked, const Unit& skeleton) {
  if (!package_tried_ && !files_.package.empty())
    if (auto image = ElfImage::map_file(files_.package)) package_ = std::move(*image);
  package_tried_ = true;
  if (package_)
    if (auto part = part_in(package_, linked, skeleton)) return part;
  const PartPlaces places = rules_.part_places(std::string(skeleton.part_name), std::string(skeleton.folder), files_);
  for (const std::string& place : {places.recorded, places.existing}) {
    auto image = place.empty() ? failure(ErrorKind::NotFound, "") : ElfImage::map_file(place);
    if (!image) continue;
    if (auto part = part_in(*image, linked, skeleton)) return part;
  }
  missing_.insert(places.recorded);
  return nullptr;
}

std::string missing_parts_text(const std::string& program, const std::set<std::string>& missing,
                               const std::string& consequence) {
  const bool one = missing.size() == 1;
  return fmt::format(
      "{}: {} of its .dwo files {} not found or of another build, {}: {}; put {} beside the program, or "
      "say --substitute FROM=TO",
      program, missing.size(), one ? "was" : "were", consequence, fmt::join(missing, ", "), one ? "it" : "them");
}

}  // namespace mortem::inspector::index
