#include "inspector/symbols/index/index_lookup.h"

#include "inspector/symbols/index/sorted_addresses.h"

namespace mortem::inspector::index {
namespace {

constexpr size_t kDeepestInIndex = 4096;  // inlined into one another

}  // namespace

const SourceFile* IndexLookup::source_file(uint32_t number) {
  if (number >= file_.count<IndexFileName>(IndexSection::Files)) return nullptr;
  if (files_.empty()) files_.resize(file_.count<IndexFileName>(IndexSection::Files));
  auto& known = files_[number];
  if (!known) {
    const auto* one = file_.at<IndexFileName>(IndexSection::Files, number);
    if (!one) return nullptr;
    known = std::make_unique<SourceFile>(SourceFile{std::string(file_.text(one->path)), one->relative, one->name});
    if (known->relative > known->path.size() || known->name > known->path.size()) known->relative = known->name = 0;
  }
  return known.get();
}

void IndexLookup::set_position(uint32_t number, LookedUpFrame& frame) {
  const auto* position = file_.at<IndexPosition>(IndexSection::Positions, number);
  if (!position) return;
  frame.file = source_file(position->file);
  frame.line = position->line;
  frame.column = position->column;
  frame.discriminator = position->discriminator;
}

void IndexLookup::locate(uint64_t address, bool declarations, std::vector<LookedUpFrame>& to) {
  to.clear();
  const uint32_t place = find_sorted(file_, IndexSection::PlaceRegions, IndexSection::PlaceStarts, address);
  const auto* position = file_.at<uint32_t>(IndexSection::PlacePositions, place);
  const auto* innermost = file_.at<uint32_t>(IndexSection::PlaceNodes, place);
  if (!position || !innermost) return;
  if (*innermost == kNothing) {
    if (*position == kNothing) return;
    set_position(*position, to.emplace_back());
    return;
  }
  uint32_t where = *position;
  for (uint32_t node = *innermost; node != kNothing && to.size() < kDeepestInIndex;) {
    const auto* one = file_.at<IndexNode>(IndexSection::Nodes, node);
    if (!one) break;
    LookedUpFrame& frame = to.emplace_back();
    set_position(where, frame);
    if (const auto* function = file_.at<IndexFunction>(IndexSection::Functions, one->function)) {
      frame.short_name = file_.text(function->name);
      frame.function = function->linkage_name == kNothing ? frame.short_name : file_.text(function->linkage_name);
      frame.declared_at = function->declared_at;
      if (declarations) frame.declared_in = source_file(function->declared_in);
    }
    if (one->has_start != 0) frame.start = one->start;
    where = one->call;
    node = one->parent;
  }
}

std::optional<Symbol> IndexLookup::symbol_at(uint64_t address, IndexSection table) {
  uint64_t low = 0, high = file_.count<IndexSymbol>(table);
  while (low < high) {  // to the first one behind the address
    const uint64_t middle = low + (high - low) / 2;
    const auto* one = file_.at<IndexSymbol>(table, middle);
    if (!one) return std::nullopt;
    one->address <= address ? low = middle + 1 : high = middle;
  }
  const auto* one = low == 0 ? nullptr : file_.at<IndexSymbol>(table, low - 1);
  if (!one || (one->size != 0 && address - one->address >= one->size)) return std::nullopt;
  Symbol symbol;
  symbol.address = one->address;
  symbol.size = one->size;
  symbol.name = file_.text(one->name);
  if (one->file != kNothing) symbol.file = file_.text(one->file);
  return symbol;
}

}  // namespace mortem::inspector::index
