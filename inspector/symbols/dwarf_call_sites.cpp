#include "inspector/symbols/dwarf_call_sites.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "inspector/symbols/index/dwarf_constants.h"
#include "inspector/symbols/index/function_map.h"

namespace mortem::inspector {
namespace {

namespace attribute = index::attribute;
namespace tag = index::tag;
using index::Value;

constexpr uint16_t kLexicalBlock = 0x0B;  // DW_TAG_lexical_block

class DwarfCallSites final : public FunctionCallSites {
 public:
  DwarfCallSites(index::DwarfFile& dwarf, const index::UnitRanges& ranges, const SymbolTable& symbols)
      : FunctionCallSites(symbols), dwarf_(dwarf), ranges_(ranges), readers_(dwarf, symbols) {}

 private:
  const CallingFunction* function_at(uint64_t address) override {
    const auto* range = ranges_.find(address);
    const auto unit = range ? dwarf_.unit_at(range->unit) : std::nullopt;
    if (!unit) return nullptr;
    const index::DwarfFile::Body body = dwarf_.body(*unit);
    const index::Unit& entries = body.file->units()[body.unit];
    auto [place, is_new] = spans_.try_emplace(*unit);
    if (is_new) {
      bool overlapping = false;
      place->second = function_spans(index::find_root_functions(*body.file, entries, &overlapping));
    }
    const auto after = std::upper_bound(place->second.begin(), place->second.end(), address,
                                        [](uint64_t value, const auto& one) { return value < one.high; });
    if (after == place->second.end() || address < after->low) return nullptr;
    auto [function, is_unread] = functions_.try_emplace({body.file, after->entry});
    if (is_unread) readers_.of(*body.file).read(entries, after->entry, function->second);
    return &function->second;
  }

  index::DwarfFile& dwarf_;
  const index::UnitRanges& ranges_;
  index::ByBody<DwarfCallReader, const SymbolTable> readers_;
  std::unordered_map<size_t, std::vector<index::RootFunction>> spans_;                 // by unit
  std::map<std::pair<const index::DwarfFile*, uint64_t>, CallingFunction> functions_;  // by their entries
};

}  // namespace

struct DwarfCallReader::Entry {  // what is asked of a function's or a call's entry
  const index::Unit* unit = nullptr;
  index::CodeAttributes code;
  Value origin, return_address;
  bool declaration = false, lists_all_calls = false, tail_call = false, indirect = false;
};

DwarfCallReader::DwarfCallReader(index::DwarfFile& dwarf, const SymbolTable& symbols)
    : dwarf_(dwarf), symbols_(symbols), names_(dwarf) {}
DwarfCallReader::~DwarfCallReader() = default;

// Call sites stand in the function and in the blocks and inlined functions within it.
void DwarfCallReader::read(const index::Unit& unit, uint64_t offset, CallingFunction& function) {
  if (!unit.abbreviations) return;
  ByteCursor cursor(dwarf_.sections().information, offset, unit.end);
  std::vector<bool> holds_calls;  // of the entries around the cursor
  bool lists_all = false;
  while (!cursor.at_end()) {
    const uint64_t code = cursor.uleb();
    if (code == 0) {
      if (holds_calls.empty()) return;
      holds_calls.pop_back();
      if (holds_calls.empty()) return;
      continue;
    }
    const index::Abbreviation* shape = unit.abbreviations->find(code);
    if (!shape) return;
    const bool is_call = shape->tag == tag::kCallSite || shape->tag == tag::kGnuCallSite;
    bool inside = false;
    if (holds_calls.empty()) {
      const Entry entry = read_entry(cursor, unit, *shape);
      const auto starts = starts_of(entry);
      if (!starts.empty()) function.start = starts.front();
      lists_all = entry.lists_all_calls;
      inside = true;
    } else if (is_call && holds_calls.back()) {
      add_call(unit, read_entry(cursor, unit, *shape), lists_all, function);
    } else {
      unit.abbreviations->step_over(*shape, cursor);
      inside = holds_calls.back() && (shape->tag == kLexicalBlock || shape->tag == tag::kInlinedSubroutine);
    }
    if (shape->has_children)
      holds_calls.push_back(inside);
    else if (holds_calls.empty())
      return;
  }
}

void DwarfCallReader::add_call(const index::Unit& unit, const Entry& call, bool lists_all, CallingFunction& function) {
  const auto address = dwarf_.address(unit, call.return_address ? call.return_address : call.code.low);
  if (!address) return;
  CallSite site;
  site.return_address = *address;
  // Indirect: to an address that was in a register or in memory when the call was made.
  if (!call.indirect) find_targets(call.origin, site);
  function.calls.push_back(site);
  if (lists_all && call.tail_call) function.tail_calls.push_back(site);
}

void DwarfCallReader::find_targets(const Value& origin, CallSite& site) {
  const bool in_alternate = origin.kind == Value::Kind::AltReference;
  if (!in_alternate) {
    const auto callee = entry_of(origin);
    if (!callee) return;
    // Without code it may stand for a declaration in another unit (link-time optimization).
    const bool has_code = callee->code.low || callee->code.ranges;
    const auto stands_for = has_code || callee->declaration ? std::nullopt : entry_of(callee->origin);
    if (!callee->declaration && !(stands_for && stands_for->declaration)) {
      site.targets = starts_of(*callee);
      return;
    }
  }
  const std::string_view name = names_.find(origin.number, in_alternate).best();
  if (name.empty()) return;
  set_target(site, name, symbols_);
}

std::optional<DwarfCallReader::Entry> DwarfCallReader::entry_of(const Value& reference) {
  if (reference.kind != Value::Kind::Reference) return std::nullopt;
  const auto index = dwarf_.unit_of(reference.number);
  if (!index) return std::nullopt;
  const index::Unit& unit = dwarf_.prepare(*index);
  if (!unit.abbreviations) return std::nullopt;
  ByteCursor cursor(dwarf_.sections().information, reference.number, unit.end);
  const index::Abbreviation* shape = unit.abbreviations->find(cursor.uleb());
  if (!shape) return std::nullopt;
  return read_entry(cursor, unit, *shape);
}

DwarfCallReader::Entry DwarfCallReader::read_entry(ByteCursor& cursor, const index::Unit& unit,
                                                   const index::Abbreviation& shape) const {
  Entry entry;
  entry.unit = &unit;
  for (const index::AttributeShape& one : unit.abbreviations->attributes(shape)) {
    const Value value = dwarf_.read_value(cursor, unit, one);
    switch (one.attribute) {
      case attribute::kLowPc:
        entry.code.low = value;
        break;
      case attribute::kHighPc:
        entry.code.high = value;
        break;
      case attribute::kRanges:
        entry.code.ranges = value;
        break;
      case attribute::kCallReturnPc:
        entry.return_address = value;
        break;
      case attribute::kCallOrigin:
      case attribute::kAbstractOrigin:
        entry.origin = value;
        break;
      case attribute::kCallTarget:
      case attribute::kGnuCallSiteTarget:
        entry.indirect = true;
        break;
      case attribute::kDeclaration:
        entry.declaration = value.constant_or(0) != 0;
        break;
      case attribute::kCallTailCall:
      case attribute::kGnuTailCall:
        entry.tail_call = value.constant_or(0) != 0;
        break;
      case attribute::kCallAllCalls:
      case attribute::kCallAllTailCalls:
      case attribute::kGnuAllCallSites:
      case attribute::kGnuAllTailCallSites:
        entry.lists_all_calls |= value.constant_or(0) != 0;
        break;
      default:
        break;
    }
  }
  return entry;
}

std::vector<uint64_t> DwarfCallReader::starts_of(const Entry& entry) const {
  std::vector<index::AddressRange> ranges;
  dwarf_.ranges(*entry.unit, entry.code, ranges);
  std::vector<uint64_t> starts;
  for (const index::AddressRange& range : ranges) starts.push_back(range.low);
  return starts;
}

std::unique_ptr<CallSites> read_call_sites(index::DwarfFile& dwarf, const index::UnitRanges& ranges,
                                           const SymbolTable& symbols) {
  return std::make_unique<DwarfCallSites>(dwarf, ranges, symbols);
}

}  // namespace mortem::inspector
