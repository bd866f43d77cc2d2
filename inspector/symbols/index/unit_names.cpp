#include "inspector/symbols/index/unit_names.h"

#include <algorithm>

#include "inspector/symbols/index/dwarf_constants.h"

namespace mortem::inspector::index {
namespace {

// Beside those that functions are found by (dwarf_constants.h).
constexpr uint16_t kMember = 0x0D, kPointerType = 0x0F, kTypedef = 0x16, kModule = 0x1E, kBaseType = 0x24,
                   kEnumerator = 0x28, kVariable = 0x34, kNamespace = 0x39;
constexpr int kMostNameSteps = 8;  // from a definition to the declaration that has its name

enum class Interest : uint8_t { None, Scope, NamedScope, Named };

Interest interest_of(const Abbreviation& shape) {
  switch (shape.tag) {
    case kMember:  // static ones with a value are variables
      return shape.has_constant ? Interest::Named : Interest::None;
    case kNamespace:
    case kModule:
      return Interest::Scope;
    case tag::kStructureType:
    case tag::kClassType:
    case tag::kUnionType:
    case tag::kEnumerationType:
      return Interest::NamedScope;
    case kVariable:
    case kEnumerator:
    case tag::kSubprogram:
    case kTypedef:
    case kBaseType:
    case kPointerType:
      return Interest::Named;
    default:
      return Interest::None;
  }
}

struct NamedFacts {
  Value name, origin;
  bool declaration = false;
};

NamedFacts read_facts(const DwarfFile& dwarf, const Unit& unit, const Abbreviation& shape, ByteCursor& cursor,
                      uint64_t* sibling) {
  NamedFacts facts;
  for (const AttributeShape& one : unit.abbreviations->attributes(shape)) {
    switch (one.attribute) {
      case attribute::kName:
        facts.name = dwarf.read_value(cursor, unit, one);
        break;
      case attribute::kSpecification:
      case attribute::kAbstractOrigin:
        facts.origin = dwarf.read_value(cursor, unit, one);
        break;
      case attribute::kDeclaration:
        facts.declaration = dwarf.read_value(cursor, unit, one).constant_or(0) != 0;
        break;
      case attribute::kSibling:
        if (const Value place = dwarf.read_value(cursor, unit, one); place.kind == Value::Kind::Reference)
          *sibling = place.number;
        break;
      default:
        skip_form(cursor, one.form, unit.encoding);
    }
  }
  return facts;
}

std::string_view name_at(DwarfFile& dwarf, const Value& start) {
  Value place = start;
  for (int step = 0; step < kMostNameSteps && place.kind == Value::Kind::Reference; ++step) {
    const auto index = dwarf.unit_of(place.number);
    if (!index) return {};
    const Unit& unit = dwarf.prepare(*index);
    if (!unit.abbreviations || place.number < unit.entries) return {};
    ByteCursor cursor(dwarf.sections().information, place.number, unit.end);
    const Abbreviation* shape = unit.abbreviations->find(cursor.uleb());
    if (!shape) return {};
    uint64_t ignored = 0;
    const NamedFacts facts = read_facts(dwarf, unit, *shape, cursor, &ignored);
    if (facts.name) return dwarf.text(unit, facts.name);
    place = facts.origin;
  }
  return {};
}

uint32_t hash_of(std::string_view name) {  // FNV-1a
  uint32_t value = 0x811C9DC5;
  for (const char one : name) value = (value ^ static_cast<unsigned char>(one)) * 0x01000193;
  return value;
}

}  // namespace

UnitNames::UnitNames(DwarfFile& dwarf) : dwarf_(dwarf) {
  for (size_t index = 0; index < dwarf.units().size(); ++index) {
    const size_t before = definitions_.size();
    add_unit(dwarf, index);
    // Most names come more than once in a unit: as a type and as its constructors.
    const auto first = definitions_.begin() + static_cast<ptrdiff_t>(before);
    std::sort(first, definitions_.end());
    definitions_.erase(std::unique(first, definitions_.end()), definitions_.end());
  }
  std::sort(definitions_.begin(), definitions_.end());
}

std::vector<uint64_t> UnitNames::units_with(std::string_view name) const {
  const uint32_t hash = hash_of(name);
  std::vector<uint64_t> units;
  for (auto one = std::lower_bound(definitions_.begin(), definitions_.end(), Definition{hash, 0});
       one != definitions_.end() && one->hash == hash; ++one)
    units.push_back(dwarf_.units()[one->unit].offset);
  return units;
}

void UnitNames::add(std::string_view name, size_t unit) {
  if (!name.empty()) definitions_.push_back({hash_of(name), static_cast<uint32_t>(unit)});
}

void UnitNames::add_unit(DwarfFile& linked, size_t index) {
  const DwarfFile::Body body = linked.body(index);
  DwarfFile& dwarf = *body.file;
  const Unit& unit = dwarf.prepare(body.unit);
  if (!unit.abbreviations) return;
  ByteCursor cursor(dwarf.sections().information, unit.entries, unit.end);
  std::vector<bool> is_scope;  // of the entries around the cursor: what stands in a function is none of it
  while (!cursor.at_end()) {
    const uint64_t code = cursor.uleb();
    if (code == 0) {
      if (is_scope.size() <= 1) return;
      is_scope.pop_back();
      continue;
    }
    const Abbreviation* shape = unit.abbreviations->find(code);
    if (!shape) return;
    const bool is_root = is_scope.empty();
    const Interest interest = is_root || is_scope.back() ? interest_of(*shape) : Interest::None;
    uint64_t sibling = 0;
    if (is_root || interest == Interest::None || interest == Interest::Scope) {
      if (const uint64_t place = unit.abbreviations->step_over(*shape, cursor)) sibling = unit.offset + place;
    } else {
      const NamedFacts facts = read_facts(dwarf, unit, *shape, cursor, &sibling);
      const bool defines =
          shape->has_constant || (!facts.declaration && (shape->tag != tag::kSubprogram || shape->has_code));
      if (defines) add(facts.name ? dwarf.text(unit, facts.name) : name_at(dwarf, facts.origin), index);
    }
    if (!shape->has_children) {
      if (is_root) return;
      continue;
    }
    const bool goes_on = is_root || interest == Interest::Scope || interest == Interest::NamedScope;
    if (!goes_on && sibling > cursor.offset() && sibling <= unit.end)
      cursor.seek(sibling);
    else
      is_scope.push_back(goes_on);
  }
}

std::optional<std::string_view> last_part_of_name(std::string_view name) {
  // Operators and lambdas have signs in their names that separate nothing.
  if (name.find("operator") != name.npos || name.find_first_of("({") != name.npos) return std::nullopt;
  int depth = 0;
  for (size_t at = name.size(); at > 1; --at) {
    if (name[at - 1] == '>') ++depth;
    if (name[at - 1] == '<') --depth;
    if (depth == 0 && name[at - 1] == ':' && name[at - 2] == ':') return name.substr(at);
  }
  return depth == 0 ? std::optional(name) : std::nullopt;
}

}  // namespace mortem::inspector::index
