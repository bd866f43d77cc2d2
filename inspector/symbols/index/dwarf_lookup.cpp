#include "inspector/symbols/index/dwarf_lookup.h"

#include <algorithm>

namespace mortem::inspector::index {
namespace {

constexpr size_t kMostKept = 1 << 16;  // line rows of the units that are kept: some 2 MB
constexpr size_t kDeepest = 4096;      // inlined into one another

}  // namespace

void DwarfLookup::locate(uint64_t address, bool declarations, std::vector<LookedUpFrame>& to) {
  to.clear();
  const UnitRanges::Range* range = ranges_.find(address);
  if (!range) return;
  const auto index = dwarf_.unit_at(range->unit);
  if (!index) return;
  dwarf_.prepare(*index);
  UnitData& data = data_of(*index);
  const LineRow* row = data.lines.find(address);
  const FunctionMap* functions = functions_at(data, address);
  uint32_t node = functions ? functions->find(address) : FunctionNode::kNone;
  auto place_row = [&](LookedUpFrame& frame) {
    if (!row) return false;
    frame.file = file(dwarf_, *index, row->file);
    if (!frame.file) return false;
    frame.line = row->line;
    frame.column = row->column;
    frame.discriminator = row->discriminator;
    return true;
  };
  if (node == FunctionNode::kNone) {
    LookedUpFrame frame;
    if (place_row(frame)) to.push_back(frame);
    return;
  }
  const FunctionNode* called_by = nullptr;
  while (node != FunctionNode::kNone && to.size() < kDeepest) {
    const FunctionNode& one = functions->nodes()[node];
    LookedUpFrame frame;
    describe(one, *index, frame, declarations);
    if (!called_by) {
      place_row(frame);
    } else {
      frame.file = file(dwarf_, *index, called_by->call_file);
      frame.line = called_by->call_line;
      frame.column = called_by->call_column;
      frame.discriminator = called_by->call_discriminator;
    }
    to.push_back(frame);
    if (one.is_subprogram) break;
    called_by = &one;
    node = one.parent;
  }
}

std::optional<size_t> DwarfLookup::unit_at(uint64_t address) {
  const UnitRanges::Range* range = ranges_.find(address);
  return range ? dwarf_.unit_at(range->unit) : std::nullopt;
}

std::optional<DwarfLookup::FunctionPlace> DwarfLookup::function_at(uint64_t address) {
  const auto unit = unit_at(address);
  if (!unit) return std::nullopt;
  dwarf_.prepare(*unit);
  const UnitData& data = data_of(*unit);
  const FunctionMap* functions = functions_at(data, address);
  const uint32_t node = functions ? functions->find(address) : FunctionNode::kNone;
  if (node == FunctionNode::kNone) return std::nullopt;
  return FunctionPlace{*unit, data.body, functions->nodes()[node].entry};
}

void DwarfLookup::describe(const FunctionNode& node, size_t unit, LookedUpFrame& frame, bool declarations) {
  DwarfFile& body = *dwarf_.body(unit).file;
  const FunctionName& name = names_.of(body).find(node.name_entry, node.name_in_alternate);
  frame.function = name.best();
  frame.short_name = name.name;
  frame.declared_at = name.declared_at;
  // A .dwo file has no line table: the linked file's names its files.
  if (declarations && name.declared_by)
    frame.declared_in = &body == &dwarf_ ? file(*name.declared_by, name.declaring_unit, name.declared_in)
                                         : file(dwarf_, unit, name.declared_in);
  if (node.has_start) frame.start = node.start;
}

DwarfLookup::UnitData& DwarfLookup::data_of(size_t index) {
  if (const auto known = units_.find(index); known != units_.end()) return known->second;
  if (kept_ > kMostKept) {
    units_.clear();
    kept_ = 0;
  }
  UnitData& data = units_[index];
  data.body = dwarf_.body(index);
  data.roots = find_root_functions(*data.body.file, data.body.file->units()[data.body.unit], &data.is_overlapping);
  Files& files = files_of(dwarf_, index);
  if (files.header) data.lines.read(dwarf_, *files.header);
  kept_ += data.lines.rows().size() + data.roots.size();
  return data;
}

const FunctionMap* DwarfLookup::functions_at(const UnitData& data, uint64_t address) {
  const Unit& unit = data.body.file->units()[data.body.unit];
  uint64_t entry = unit.entries;
  if (!data.is_overlapping) {
    const auto after = std::upper_bound(data.roots.begin(), data.roots.end(), address,
                                        [](uint64_t value, const RootFunction& one) { return value < one.low; });
    if (after == data.roots.begin() || address >= std::prev(after)->high) return nullptr;
    entry = std::prev(after)->entry;
  }
  if (function_entry_ != entry || function_file_ != data.body.file) function_.read(*data.body.file, unit, entry);
  function_entry_ = entry;
  function_file_ = data.body.file;
  return &function_;
}

DwarfLookup::Files& DwarfLookup::files_of(const DwarfFile& dwarf, size_t index) {
  if (last_files_ && last_files_of_ == std::pair(&dwarf, index)) return *last_files_;
  auto [place, is_new] = (&dwarf == &dwarf_ ? files_ : alternate_files_).try_emplace(index);
  const Unit& unit = dwarf.units()[index];
  if (is_new && unit.line_table) place->second.header = LineHeader::read(dwarf, unit, *unit.line_table);
  last_files_ = &place->second;
  last_files_of_ = {&dwarf, index};
  return place->second;
}

const SourceFile* DwarfLookup::file(const DwarfFile& dwarf, size_t unit, uint64_t number) {
  Files& files = files_of(dwarf, unit);
  if (!files.header || !files.header->has_file(number)) return nullptr;
  auto [place, is_new] = files.files.try_emplace(number);
  if (is_new) place->second = files.header->file(number, dwarf.units()[unit].folder);
  return &place->second;
}

}  // namespace mortem::inspector::index
