#include "inspector/symbols/index/function_names.h"

#include <algorithm>

#include "inspector/symbols/index/dwarf_constants.h"

namespace mortem::inspector::index {
namespace {

constexpr size_t kMostSteps = 64;  // from an entry to where its name stands: three or four in real files

struct Place {
  DwarfFile* file;
  uint64_t entry;
  bool operator==(const Place&) const = default;
};

}  // namespace

const FunctionName& FunctionNames::find(uint64_t entry, bool in_alternate) {
  auto& known = in_alternate ? known_in_alternate_ : known_;
  auto [place, is_new] = known.try_emplace(entry);
  if (is_new) place->second = read(entry, in_alternate);
  return place->second;
}

// Each fact is taken from the first entry that has it, in the order of llvm::DWARFDie::findRecursively: of references
// from one entry the last is followed first.
FunctionName FunctionNames::read(uint64_t entry, bool in_alternate) {
  FunctionName result;
  bool has_linkage_name = false, has_name = false, has_file = false, has_line = false;
  DwarfFile* first = in_alternate ? dwarf_.alternate() : &dwarf_;
  std::vector<Place> waiting, seen;
  if (first) waiting.push_back({first, entry});
  while (!waiting.empty() && seen.size() < kMostSteps) {
    const Place place = waiting.back();
    waiting.pop_back();
    if (std::find(seen.begin(), seen.end(), place) != seen.end()) continue;
    seen.push_back(place);
    const auto index = place.file->unit_of(place.entry);
    if (!index) continue;
    const Unit& unit = place.file->prepare(*index);
    if (!unit.abbreviations || place.entry < unit.entries) continue;
    ByteCursor cursor(place.file->sections().information, place.entry, unit.end);
    const Abbreviation* shape = unit.abbreviations->find(cursor.uleb());
    if (!shape) continue;
    Value linkage, mips_linkage, name, file, line, origin, specification;
    for (const AttributeShape& one : unit.abbreviations->attributes(*shape)) {
      const Value value = place.file->read_value(cursor, unit, one);
      switch (one.attribute) {
        case attribute::kLinkageName:
          linkage = value;
          break;
        case attribute::kMipsLinkageName:
          mips_linkage = value;
          break;
        case attribute::kName:
          name = value;
          break;
        case attribute::kDeclFile:
          file = value;
          break;
        case attribute::kDeclLine:
          line = value;
          break;
        case attribute::kAbstractOrigin:
          origin = value;
          break;
        case attribute::kSpecification:
          specification = value;
          break;
        default:
          break;
      }
    }
    if (mips_linkage) linkage = mips_linkage;
    if (!has_linkage_name && linkage) {
      has_linkage_name = true;
      result.linkage_name = place.file->text(unit, linkage);
    }
    if (!has_name && name) {
      has_name = true;
      result.name = place.file->text(unit, name);
    }
    if (!has_file && file) {
      has_file = true;
      result.declared_by = place.file;
      result.declaring_unit = *index;
      result.declared_in = static_cast<uint32_t>(file.constant_or(0));
    }
    if (!has_line && line) {
      has_line = true;
      result.declared_at = static_cast<uint32_t>(line.constant_or(0));
    }
    for (const Value& next : {origin, specification}) {
      if (next.kind == Value::Kind::Reference) waiting.push_back({place.file, next.number});
      if (next.kind == Value::Kind::AltReference && place.file->alternate())
        waiting.push_back({place.file->alternate(), next.number});
    }
    if (has_linkage_name && has_name && has_file && has_line) break;
  }
  return result;
}

}  // namespace mortem::inspector::index
