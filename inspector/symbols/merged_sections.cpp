#include "inspector/symbols/merged_sections.h"

#include <algorithm>
#include <set>

#include "inspector/symbols/index/dwarf_constants.h"
#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector {
namespace {

namespace attribute = index::attribute;
namespace form = index::form;

constexpr uint64_t kLargest = uint64_t{1} << 32;  // what offsets of 32 bits reach

struct Moves {  // added to offsets
  uint64_t information = 0, abbreviations = 0, text = 0, line_text = 0;
};

enum class Part { File, Alternate };

// One of the two files, in place in the merged sections.
class Mover {
 public:
  Mover(index::DwarfFile& dwarf, Part part, const Moves& moves, MergedSections& to)
      : dwarf_(dwarf), part_(part), moves_(moves), to_(to) {}

  bool run() {
    for (size_t number = 0; number < dwarf_.units().size(); ++number) {
      const index::Unit& unit = dwarf_.prepare(number);
      if (!unit.abbreviations || unit.is_split || !move_unit(unit)) return false;
    }
    return std::all_of(tables_.begin(), tables_.end(), [&](uint64_t table) { return move_forms(table); });
  }

 private:
  bool is_alternate() const { return part_ == Part::Alternate; }

  bool move_unit(const index::Unit& unit) {
    tables_.insert(unit.abbreviations_offset);
    const bool is_long = unit.encoding.is_64_bit;
    // DWARF 5, section 7.5.1: the length, the version and, since DWARF 5, the unit's type and the size of addresses.
    const uint64_t place = unit.offset + (is_long ? 12 : 4) + (unit.encoding.version >= 5 ? 4 : 2);
    if (is_alternate()) put(place, is_long, unit.abbreviations_offset + moves_.abbreviations);
    ByteCursor cursor(dwarf_.sections().information, unit.entries, unit.end);
    while (!cursor.at_end()) {
      const uint64_t code = cursor.uleb();
      if (code == 0) continue;
      const index::Abbreviation* shape = unit.abbreviations->find(code);
      if (!shape) return false;
      for (const index::AttributeShape& one : unit.abbreviations->attributes(*shape)) {
        const uint64_t start = cursor.offset();
        index::skip_form(cursor, one.form, unit.encoding);
        if (cursor.bad() || !move_value(unit, one, start)) return false;
      }
    }
    return true;
  }

  // False: a form that cannot be moved.
  bool move_value(const index::Unit& unit, const index::AttributeShape& shape, uint64_t place) {
    const bool is_long = unit.encoding.is_64_bit;
    switch (shape.form) {
      case form::kGnuRefAlt:
      case form::kRefSup4:
        // It becomes DW_FORM_ref_addr, which is as large in all versions but 2.
        if (is_alternate() || unit.encoding.version < 3 || (is_long && shape.form == form::kRefSup4)) return false;
        move(place, is_long, moves_.information);
        return true;
      case form::kGnuStrpAlt:
      case form::kStrpSup:
        if (is_alternate()) return false;
        move(place, is_long, moves_.text);
        return true;
      case form::kRefAddr:
        if (is_alternate() && unit.encoding.version < 3) return false;
        if (is_alternate()) move(place, is_long, moves_.information);
        return true;
      case form::kStrp:
        if (is_alternate()) move(place, is_long, moves_.text);
        return true;
      case form::kLineStrp:
        if (is_alternate()) move(place, is_long, moves_.line_text);
        return true;
      case form::kIndirect:
      case form::kRefSup8:
        return false;
      case form::kStrx:
      case form::kStrx1:
      case form::kStrx2:
      case form::kStrx3:
      case form::kStrx4:
      case form::kAddrx:
      case form::kAddrx1:
      case form::kAddrx2:
      case form::kAddrx3:
      case form::kAddrx4:
      case form::kGnuAddrIndex:
      case form::kGnuStrIndex:
      case form::kLoclistx:
      case form::kRnglistx:
        return !is_alternate();
      default:
        break;
    }
    if (!is_alternate()) return true;
    if (shape.attribute == attribute::kStmtList) {  // behind the end of all tables: no line is known
      put(place, is_long, ~uint64_t{0});
      return true;
    }
    return shape.form != form::kSecOffset;
  }

  bool move_forms(uint64_t table) {
    const uint64_t own_start = is_alternate() ? moves_.abbreviations : 0;
    ByteCursor cursor(dwarf_.sections().abbreviations, table);
    while (cursor.uleb() != 0) {
      cursor.skip_leb();  // the tag
      cursor.u8();        // whether there are children
      while (true) {
        const uint64_t name = cursor.uleb(), place = cursor.offset(), value = cursor.uleb(), end = cursor.offset();
        if (cursor.bad()) return false;
        if (name == 0 && value == 0) break;
        if (value == form::kImplicitConst) cursor.skip_leb();
        const uint64_t moved = value == form::kGnuRefAlt || value == form::kRefSup4    ? form::kRefAddr
                               : value == form::kGnuStrpAlt || value == form::kStrpSup ? form::kStrp
                                                                                       : value;
        if (moved == value) continue;
        for (uint64_t at = place; at < end; ++at)  // padded to the length that was there
          to_.abbreviations[own_start + at] =
              static_cast<uint8_t>((moved >> (at - place) * 7 & 0x7F) | (at + 1 < end ? 0x80 : 0));
      }
    }
    return !cursor.bad();
  }

  void move(uint64_t place, bool is_long, uint64_t by) {
    ByteCursor cursor(dwarf_.sections().information, place);
    put(place, is_long, cursor.section_offset(is_long) + by);
  }
  void put(uint64_t place, bool is_long, uint64_t value) {
    if (is_alternate()) place += moves_.information;
    std::memcpy(to_.information.data() + place, &value, is_long ? 8 : 4);
  }

  index::DwarfFile& dwarf_;
  const Part part_;
  const Moves& moves_;
  MergedSections& to_;
  std::set<uint64_t> tables_;
};

std::vector<uint8_t> joined(index::Bytes first, index::Bytes second) {
  std::vector<uint8_t> bytes;
  bytes.reserve(first.size() + second.size());
  bytes.insert(bytes.end(), first.begin(), first.end());
  bytes.insert(bytes.end(), second.begin(), second.end());
  return bytes;
}

}  // namespace

const std::vector<uint8_t>* MergedSections::find(std::string_view name) const {
  if (name == "info") return &information;
  if (name == "abbrev") return &abbreviations;
  if (name == "str") return &text;
  if (name == "line_str") return &line_text;
  return nullptr;
}

std::optional<MergedSections> merge_alternate(const std::shared_ptr<const ElfImage>& file,
                                              const std::shared_ptr<const ElfImage>& alternate) {
  // Type units stand in a section of their own before DWARF 5; their abbreviations are the same.
  if (file->debug_section("types") || alternate->debug_section("types")) return std::nullopt;
  index::DwarfFile first(file), second(alternate);
  const index::DwarfSections &own = first.sections(), &other = second.sections();
  const Moves moves{own.information.size(), own.abbreviations.size(), own.text.size(), own.line_text.size()};
  MergedSections merged{joined(own.information, other.information), joined(own.abbreviations, other.abbreviations),
                        joined(own.text, other.text), joined(own.line_text, other.line_text)};
  if (merged.information.size() >= kLargest || merged.text.size() >= kLargest || first.units().empty() ||
      first.units().back().end != own.information.size())
    return std::nullopt;
  if (!Mover(first, Part::File, moves, merged).run() || !Mover(second, Part::Alternate, moves, merged).run())
    return std::nullopt;
  return merged;
}

}  // namespace mortem::inspector
