#include "inspector/symbols/index/index_part.h"

#include <algorithm>

namespace mortem::inspector::index {
namespace {

uint64_t mix(uint64_t value) {
  value *= 0x9E3779B97F4A7C15;
  return value ^ value >> 29;
}

}  // namespace

size_t IndexPart::PositionHash::operator()(const IndexPosition& one) const {
  return mix(mix(uint64_t{one.file} << 32 | one.line) + (uint64_t{one.column} << 32 | one.discriminator));
}

bool IndexPart::SamePosition::operator()(const IndexPosition& a, const IndexPosition& b) const {
  return a.file == b.file && a.line == b.line && a.column == b.column && a.discriminator == b.discriminator;
}

// Linkers store equal strings once: where they stand tells them apart.
size_t IndexPart::FunctionHash::operator()(const Function& one) const {
  return mix(reinterpret_cast<uintptr_t>(one.linkage_name.data()) + mix(reinterpret_cast<uintptr_t>(one.name.data())) +
             (uint64_t{one.declared_in} << 32 | one.declared_at));
}

void IndexPart::add_unit(size_t number, std::span<const UnitRanges::Range> ranges) {
  covered_.clear();
  boundaries_.clear();
  add_functions(number, ranges);
  UnitFiles& files = unit_files(dwarf_, number);
  files.header ? lines_.read(dwarf_, *files.header) : lines_.clear();

  for (const Covered& one : covered_) {
    boundaries_.push_back(one.low);
    boundaries_.push_back(one.high);
  }
  for (const LineTable::Sequence& sequence : lines_.sequences())
    for (uint32_t row = sequence.first; row < sequence.last; ++row) boundaries_.push_back(lines_.rows()[row].address);
  std::sort(boundaries_.begin(), boundaries_.end());
  boundaries_.erase(std::unique(boundaries_.begin(), boundaries_.end()), boundaries_.end());

  for (const UnitRanges::Range& range : ranges) {
    auto next = std::upper_bound(boundaries_.begin(), boundaries_.end(), range.low);
    auto covered = std::upper_bound(covered_.begin(), covered_.end(), range.low,
                                    [](uint64_t value, const Covered& one) { return value < one.high; });
    bool is_first = true;
    for (uint64_t at = range.low; at < range.high;) {
      Place place{at, kNothing, kNothing};
      while (covered != covered_.end() && covered->high <= at) ++covered;
      if (covered != covered_.end() && covered->low <= at) place.node = covered->node;
      if (const LineRow* row = lines_.find(at))
        if (const uint32_t file = file_number(dwarf_, number, row->file); file != kNothing)
          place.position = position_number(file, row->line, row->column, row->discriminator);
      if (is_first || place.node != places.back().node || place.position != places.back().position)
        places.push_back(place);
      is_first = false;
      if (next == boundaries_.end()) break;
      at = *next++;
    }
    places.push_back({range.high, kNothing, kNothing});
  }
}

void IndexPart::add_functions(size_t number, std::span<const UnitRanges::Range> ranges) {
  bool overlapping = false;
  const DwarfFile::Body body = dwarf_.body(number);
  const Unit& unit = body.file->units()[body.unit];
  const std::vector<RootFunction> roots = find_root_functions(*body.file, unit, &overlapping);
  calls.add_unit(body, roots, ranges);
  if (overlapping) {
    map_.read(*body.file, unit, unit.entries);
    add_covered(map_, number, *body.file, nullptr);
  } else {
    std::vector<uint64_t> entries;
    for (const RootFunction& root : roots) entries.push_back(root.entry);
    std::sort(entries.begin(), entries.end());
    entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
    for (const uint64_t entry : entries) {
      map_.read(*body.file, unit, entry);
      add_covered(map_, number, *body.file, &roots);
    }
  }
  std::sort(covered_.begin(), covered_.end(), [](const Covered& a, const Covered& b) { return a.low < b.low; });
}

// `roots`: a function answers only where it has code itself, whatever is inlined into it says.
void IndexPart::add_covered(const FunctionMap& functions, size_t number, DwarfFile& body,
                            const std::vector<RootFunction>* roots) {
  node_numbers_.assign(functions.nodes().size(), kNothing);
  const uint64_t entry = functions.nodes().empty() ? 0 : functions.nodes().front().entry;
  for (const NodeRanges::Entry& one : functions.ranges().all()) {
    if (one.low >= one.high) continue;
    const uint32_t node = node_number(functions, one.node, number, body);
    if (!roots) {
      covered_.push_back({one.low, one.high, node});
      continue;
    }
    auto root = std::upper_bound(roots->begin(), roots->end(), one.low,
                                 [](uint64_t value, const RootFunction& root) { return value < root.high; });
    for (; root != roots->end() && root->low < one.high; ++root)
      if (root->entry == entry)
        covered_.push_back({std::max(one.low, root->low), std::min(one.high, root->high), node});
  }
}

uint32_t IndexPart::node_number(const FunctionMap& functions, uint32_t node, size_t unit, DwarfFile& body) {
  // From the innermost outwards; each is made after what it is inlined into.
  std::vector<uint32_t> missing;
  uint32_t outer = kNothing;
  for (uint32_t at = node; at != FunctionNode::kNone; at = functions.nodes()[at].parent) {
    if (node_numbers_[at] != kNothing) {
      outer = node_numbers_[at];
      break;
    }
    missing.push_back(at);
    if (functions.nodes()[at].is_subprogram) break;
  }
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
    const FunctionNode& one = functions.nodes()[*at];
    IndexNode made;
    made.function = function_number(one, unit, body);
    made.parent = outer;
    if (!one.is_subprogram)
      made.call = position_number(file_number(dwarf_, unit, one.call_file), one.call_line, one.call_column,
                                  one.call_discriminator);
    made.has_start = one.has_start;
    made.start = one.start;
    outer = node_numbers_[*at] = static_cast<uint32_t>(nodes.size());
    nodes.push_back(made);
  }
  return outer;
}

uint32_t IndexPart::function_number(const FunctionNode& node, size_t unit, DwarfFile& body) {
  const FunctionName& name = names_.of(body).find(node.name_entry, node.name_in_alternate);
  Function function{name.linkage_name, name.name, kNothing, name.declared_at};
  // A .dwo file has no line table: the linked file's names its files.
  if (name.declared_by)
    function.declared_in = &body == &dwarf_ ? file_number(*name.declared_by, name.declaring_unit, name.declared_in)
                                            : file_number(dwarf_, unit, name.declared_in);
  auto [place, is_new] = function_numbers_.try_emplace(function, static_cast<uint32_t>(functions.size()));
  if (is_new) functions.push_back(function);
  return place->second;
}

IndexPart::UnitFiles& IndexPart::unit_files(const DwarfFile& dwarf, size_t unit) {
  auto [place, is_new] = (&dwarf == &dwarf_ ? unit_files_ : alternate_unit_files_).try_emplace(unit);
  const Unit& one = dwarf.units()[unit];
  if (is_new && one.line_table) place->second.header = LineHeader::read(dwarf, one, *one.line_table);
  return place->second;
}

uint32_t IndexPart::file_number(const DwarfFile& dwarf, size_t unit, uint64_t number) {
  UnitFiles& known = unit_files(dwarf, unit);
  if (!known.header || !known.header->has_file(number)) return kNothing;
  auto [place, is_new] = known.numbers.try_emplace(number);
  if (!is_new) return place->second;
  SourceFile file = known.header->file(number, dwarf.units()[unit].folder);
  // The same path may be told in two ways: with another folder for the unit, or none.
  const std::string key = file.path + '\0' + std::to_string(file.relative) + '\0' + std::to_string(file.name);
  auto [same, is_new_path] = file_numbers_.try_emplace(key, static_cast<uint32_t>(files.size()));
  if (is_new_path) files.push_back(std::move(file));
  return place->second = same->second;
}

uint32_t IndexPart::position_number(uint32_t file, uint32_t line, uint32_t column, uint32_t discriminator) {
  const IndexPosition position{file, line, column, discriminator};
  auto [place, is_new] = position_numbers_.try_emplace(position, static_cast<uint32_t>(positions.size()));
  if (is_new) positions.push_back(position);
  return place->second;
}

}  // namespace mortem::inspector::index
