#include "inspector/symbols/index/function_map.h"

#include <algorithm>
#include <set>

#include "inspector/symbols/index/dwarf_constants.h"

namespace mortem::inspector::index {
namespace {

// Compilers write ranges nearly in the order of their addresses; a file that was made to be slow ends here.
constexpr uint64_t kMostMoved = uint64_t{1} << 32;

}  // namespace

void NodeRanges::add(const AddressRange& range, uint32_t node) {
  if (range.low == range.high || moved_ > kMostMoved) return;
  auto after = std::upper_bound(entries_.begin(), entries_.end(), range.low,
                                [](uint64_t value, const Entry& one) { return value < one.low; });
  moved_ += static_cast<uint64_t>(entries_.end() - after);
  if (after != entries_.begin() && range.low < std::prev(after)->high) {
    const Entry before = *std::prev(after);
    // A part of a range that is there: what is behind the part stays with the old node.
    if (range.high < before.high) {
      const auto rest = std::lower_bound(entries_.begin(), entries_.end(), range.high,
                                         [](const Entry& one, uint64_t value) { return one.low < value; });
      const size_t position = static_cast<size_t>(after - entries_.begin());
      const Entry behind{range.high, before.high, before.node};
      if (rest != entries_.end() && rest->low == range.high)
        *rest = behind;
      else
        entries_.insert(rest, behind);
      after = entries_.begin() + static_cast<ptrdiff_t>(position);
      // Ranges that end before they start put the rest in front.
      if (range.high <= range.low)
        after = std::upper_bound(entries_.begin(), entries_.end(), range.low,
                                 [](uint64_t value, const Entry& one) { return value < one.low; });
    }
    if (range.low > before.low) {
      const auto place = std::lower_bound(entries_.begin(), entries_.end(), before.low,
                                          [](const Entry& one, uint64_t value) { return one.low < value; });
      place->high = range.low;
    }
  }
  const Entry added{range.low, range.high, node};
  if (after != entries_.begin() && std::prev(after)->low == range.low)
    *std::prev(after) = added;
  else
    entries_.insert(after, added);
}

const NodeRanges::Entry* NodeRanges::find(uint64_t address) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), address,
                                      [](uint64_t value, const Entry& one) { return value < one.low; });
  if (after == entries_.begin() || address >= std::prev(after)->high) return nullptr;
  return &*std::prev(after);
}

uint32_t FunctionMap::find(uint64_t address) const {
  const NodeRanges::Entry* found = ranges_.find(address);
  return found ? found->node : FunctionNode::kNone;
}

void FunctionMap::read(const DwarfFile& dwarf, const Unit& unit, uint64_t offset) {
  nodes_.clear();
  ranges_.clear();
  parents_.clear();
  if (!unit.abbreviations) return;
  ByteCursor cursor(dwarf.sections().information, offset, unit.end);
  uint32_t parent = FunctionNode::kNone;
  const bool whole_unit = offset == unit.entries;
  while (!cursor.at_end()) {
    const uint64_t entry = cursor.offset(), code = cursor.uleb();
    if (code == 0) {
      if (parents_.empty()) return;
      parent = parents_.back();
      parents_.pop_back();
      if (parents_.empty()) return;
      continue;
    }
    const Abbreviation* shape = unit.abbreviations->find(code);
    if (!shape) return;
    uint32_t inside = parent;
    // What stands in a type is a function of its own: it is no part of the one around it.
    const bool is_other = shape->role == Abbreviation::Role::CallSite ||
                          (shape->role == Abbreviation::Role::Type && (unit.is_c || !whole_unit)) ||
                          (shape->tag == tag::kSubprogram && !whole_unit && entry != offset);
    if (shape->role == Abbreviation::Role::Subroutine && !is_other) {
      inside = static_cast<uint32_t>(nodes_.size());
      add_node(dwarf, unit, *shape, cursor, entry, parent);
    } else {
      const uint64_t sibling = unit.abbreviations->step_over(*shape, cursor);
      if (shape->has_children && is_other && sibling > cursor.offset() - unit.offset) {
        cursor.seek(unit.offset + sibling);
        continue;
      }
    }
    if (shape->has_children) {
      parents_.push_back(parent);
      parent = inside;
    } else if (parents_.empty()) {
      return;
    }
  }
}

void FunctionMap::add_node(const DwarfFile& dwarf, const Unit& unit, const Abbreviation& shape, ByteCursor& cursor,
                           uint64_t offset, uint32_t parent) {
  FunctionNode node;
  node.entry = node.name_entry = offset;
  node.parent = parent;
  node.is_subprogram = shape.tag == tag::kSubprogram;
  CodeAttributes code;
  Value origin;
  bool has_own_facts = false;
  for (const AttributeShape& one : unit.abbreviations->attributes(shape)) {
    switch (one.attribute) {
      case attribute::kLowPc:
        code.low = dwarf.read_value(cursor, unit, one);
        break;
      case attribute::kHighPc:
        code.high = dwarf.read_value(cursor, unit, one);
        break;
      case attribute::kRanges:
        code.ranges = dwarf.read_value(cursor, unit, one);
        break;
      case attribute::kAbstractOrigin:
        origin = dwarf.read_value(cursor, unit, one);
        break;
      case attribute::kCallFile:
        node.call_file = static_cast<uint32_t>(dwarf.read_value(cursor, unit, one).constant_or(0));
        break;
      case attribute::kCallLine:
        node.call_line = static_cast<uint32_t>(dwarf.read_value(cursor, unit, one).constant_or(0));
        break;
      case attribute::kCallColumn:
        node.call_column = static_cast<uint32_t>(dwarf.read_value(cursor, unit, one).constant_or(0));
        break;
      case attribute::kGnuDiscriminator:
        node.call_discriminator = static_cast<uint32_t>(dwarf.read_value(cursor, unit, one).constant_or(0));
        break;
      case attribute::kName:
      case attribute::kLinkageName:
      case attribute::kMipsLinkageName:
      case attribute::kDeclFile:
      case attribute::kDeclLine:
      case attribute::kSpecification:
      case attribute::kSignature:
        has_own_facts = true;
        [[fallthrough]];
      default:
        skip_form(cursor, one.form, unit.encoding);
    }
  }
  if (!has_own_facts && (origin.kind == Value::Kind::Reference || origin.kind == Value::Kind::AltReference)) {
    node.name_entry = origin.number;
    node.name_in_alternate = origin.kind == Value::Kind::AltReference;
  }
  if (const auto start = dwarf.address(unit, code.low)) {
    node.has_start = true;
    node.start = *start;
  }
  const auto index = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back(node);
  if (!shape.has_code) return;
  scratch_.clear();
  dwarf.ranges(unit, code, scratch_);
  for (const AddressRange& range : scratch_) ranges_.add(range, index);
}

std::vector<RootFunction> find_root_functions(const DwarfFile& dwarf, const Unit& unit, bool* overlapping) {
  std::vector<RootFunction> roots;
  *overlapping = false;
  if (!unit.abbreviations) return roots;
  std::vector<AddressRange> ranges;
  ByteCursor cursor(dwarf.sections().information, unit.entries, unit.end);
  uint64_t depth = 0;
  while (!cursor.at_end()) {
    const uint64_t entry = cursor.offset(), code = cursor.uleb();
    if (code == 0) {
      if (depth <= 1) break;
      --depth;
      continue;
    }
    const Abbreviation* shape = unit.abbreviations->find(code);
    if (!shape) break;
    const bool is_inlined = shape->tag == tag::kInlinedSubroutine;
    uint64_t sibling = 0;
    if (shape->tag == tag::kSubprogram && shape->has_code) {
      CodeAttributes where;
      for (const AttributeShape& one : unit.abbreviations->attributes(*shape)) {
        if (one.attribute == attribute::kLowPc)
          where.low = dwarf.read_value(cursor, unit, one);
        else if (one.attribute == attribute::kHighPc)
          where.high = dwarf.read_value(cursor, unit, one);
        else if (one.attribute == attribute::kRanges)
          where.ranges = dwarf.read_value(cursor, unit, one);
        else
          skip_form(cursor, one.form, unit.encoding);
      }
      ranges.clear();
      dwarf.ranges(unit, where, ranges);
      for (const AddressRange& range : ranges)
        if (range.low < range.high) roots.push_back({range.low, range.high, entry});
    } else {
      sibling = unit.abbreviations->step_over(*shape, cursor);
    }
    if (!shape->has_children) {
      if (depth == 0) break;  // a unit of nothing
      continue;
    }
    const bool no_roots_below = is_inlined || shape->role == Abbreviation::Role::CallSite ||
                                (shape->role == Abbreviation::Role::Type && unit.is_c);
    if (depth > 0 && no_roots_below && sibling > cursor.offset() - unit.offset) {
      cursor.seek(unit.offset + sibling);
      continue;
    }
    ++depth;
  }
  std::sort(roots.begin(), roots.end(), [](const RootFunction& a, const RootFunction& b) {
    return a.low != b.low ? a.low < b.low : a.entry < b.entry;
  });
  // Functions that GNU ld left out, copies of inline ones, have the addresses 0 (or 1) and up: they lie on one another,
  // which says nothing of those that are there.
  uint64_t left_out_end = 0;
  const auto first = std::find_if(roots.begin(), roots.end(), [&](const RootFunction& one) {
    if (one.low > 1) return true;
    left_out_end = std::max(left_out_end, one.high);
    return false;
  });
  if (first != roots.end() && first->low < left_out_end) *overlapping = true;
  if (!*overlapping) roots.erase(roots.begin(), first);
  for (size_t index = 1; index < roots.size(); ++index)
    if (roots[index].low < roots[index - 1].high) *overlapping = true;
  return roots;
}

std::vector<RootFunction> function_spans(const std::vector<RootFunction>& roots) {
  struct End {
    uint64_t address = 0;
    size_t root = 0;
    bool is_start = false;
  };
  std::vector<End> ends;
  for (size_t index = 0; index < roots.size(); ++index) {
    ends.push_back({roots[index].low, index, true});
    ends.push_back({roots[index].high, index, false});
  }
  std::sort(ends.begin(), ends.end(), [](const End& a, const End& b) { return a.address < b.address; });
  std::vector<RootFunction> spans;
  std::set<size_t> open;  // those that hold the addresses from `previous` on
  uint64_t previous = 0;
  for (const End& one : ends) {
    if (previous < one.address && !open.empty()) {
      const uint64_t entry = roots[*open.rbegin()].entry;
      if (!spans.empty() && spans.back().high == previous && spans.back().entry == entry)
        spans.back().high = one.address;
      else
        spans.push_back({previous, one.address, entry});
    }
    one.is_start ? (void)open.insert(one.root) : (void)open.erase(one.root);
    previous = one.address;
  }
  return spans;
}

}  // namespace mortem::inspector::index
