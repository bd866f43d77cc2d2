#include "inspector/symbols/index/variable_lookup.h"

#include <algorithm>

#include "inspector/symbols/index/dwarf_constants.h"
#include "inspector/symbols/index/location_lists.h"

namespace mortem::inspector::index {
namespace {

// DWARF 5, section 7.7.1
constexpr uint8_t kAddr = 0x03, kDeref = 0x06, kPlusUconst = 0x23, kReg0 = 0x50, kReg31 = 0x6F, kBreg0 = 0x70,
                  kFbreg = 0x91, kAddrx = 0xA1, kGnuAddrIndex = 0xFB;
constexpr uint64_t kMostLocals = 1 << 16;

// `DW_OP_addr[x] [DW_OP_plus_uconst]` and nothing more.
std::optional<uint64_t> constant_address(const DwarfEntry& entry, Bytes expression) {
  ByteCursor cursor(expression, 0);
  std::optional<uint64_t> address;
  switch (cursor.u8()) {
    case kAddr:
      address = cursor.sized(entry.unit().encoding.address_size);
      break;
    case kAddrx:
    case kGnuAddrIndex:
      address = entry.file().address(entry.unit(), {Value::Kind::AddressIndex, cursor.uleb()});
      break;
    default:
      return std::nullopt;
  }
  if (address && !cursor.at_end()) {
    if (cursor.u8() != kPlusUconst) return std::nullopt;
    *address += cursor.uleb();
  }
  return cursor.bad() || !cursor.at_end() ? std::nullopt : address;
}

// `DW_OP_fbreg N`, or N from the register that is the frame's base; with DW_OP_deref what is there leads to it.
std::optional<int64_t> frame_offset(Bytes expression, std::optional<uint8_t> base_register) {
  ByteCursor cursor(expression, 0);
  const uint8_t operation = cursor.u8();
  if (operation != kFbreg && !(base_register && operation == kBreg0 + *base_register)) return std::nullopt;
  const int64_t offset = cursor.sleb();
  const bool is_all = cursor.at_end() || (cursor.u8() == kDeref && cursor.at_end());
  return is_all && !cursor.bad() ? std::optional(offset) : std::nullopt;
}

std::vector<Bytes> locations_of(const DwarfEntry& variable) {
  if (const auto expression = variable.block(attribute::kLocation)) return {*expression};
  return location_list(variable);
}

std::optional<uint64_t> constant_of(const DwarfEntry& entry, uint16_t attribute) {
  const Value value = entry.find(attribute);
  return value.kind == Value::Kind::Constant ? std::optional(value.number) : std::nullopt;
}

}  // namespace

// Of one unit: a variable reaches to its end, or to where the next starts.
std::vector<VariableLookup::Span> VariableLookup::spans_of(size_t unit) {
  const DwarfFile::Body body = dwarf_.body(unit);
  std::vector<Span> spans;
  const auto top = DwarfEntry::at(*body.file, body.file->units()[body.unit].entries);
  if (!top) return spans;
  std::map<uint64_t, Span> by_low;
  top->for_each_below([&](const DwarfEntry& entry, uint64_t) {
    if (entry.role() == Abbreviation::Role::Type || entry.role() == Abbreviation::Role::CallSite)
      return NextEntry::Behind;
    if (entry.tag() != tag::kVariable) return NextEntry::Below;
    const auto expression = entry.block(attribute::kLocation);
    const auto low = expression ? constant_address(entry, *expression) : std::nullopt;
    if (!low) return NextEntry::Below;
    // Without a size, its first byte at least.
    const auto type = entry.reference(attribute::kType);
    const uint64_t size = type ? size_of_type(*type).value_or(1) : 1;
    by_low[*low] = {*low, *low + size, body.file, unit, entry.offset()};
    return NextEntry::Below;
  });
  for (const auto& [low, span] : by_low) {
    if (!spans.empty()) spans.back().high = std::min(spans.back().high, low);
    spans.push_back(span);
  }
  return spans;
}

void VariableLookup::read_all() {
  all_are_read_ = true;
  for (size_t unit = 0; unit < dwarf_.units().size(); ++unit) {
    if (dwarf_.units()[unit].is_type_unit) continue;
    for (Span span : spans_of(unit)) {
      // What is free of [low, high) now.
      auto next = all_.upper_bound(span.low);
      if (next != all_.begin()) span.low = std::max(span.low, std::prev(next)->second.high);
      const uint64_t high = span.high;
      while (span.low < high) {
        span.high = next == all_.end() ? high : std::min(high, next->first);
        if (span.low < span.high) all_.emplace_hint(next, span.low, span);
        if (next == all_.end()) break;
        span.low = next->second.high;
        ++next;
      }
    }
  }
}

Declaration VariableLookup::declaration(uint64_t address) {
  const Span* found = nullptr;
  if (const auto unit = lookup_.unit_at(address)) {
    auto [place, is_new] = by_unit_.try_emplace(*unit);
    if (is_new) place->second = spans_of(*unit);
    const auto after = std::upper_bound(place->second.begin(), place->second.end(), address,
                                        [](uint64_t value, const Span& one) { return value < one.low; });
    if (after != place->second.begin()) found = &*std::prev(after);
  } else {
    if (!all_are_read_) read_all();
    const auto after = all_.upper_bound(address);
    if (after != all_.begin()) found = &std::prev(after)->second;
  }
  if (!found || address >= found->high) return {};
  const FunctionName& name = lookup_.name_of(*found->file, found->entry);
  Declaration result;
  result.line = name.declared_at;
  if (name.declared_by)
    result.file = lookup_.file_of(*name.declared_by, name.declaring_unit, found->unit, name.declared_in);
  return result;
}

std::vector<LocalVariable> VariableLookup::locals(uint64_t address) {
  std::vector<LocalVariable> result;
  const auto place = lookup_.function_at(address);
  auto top = place ? DwarfEntry::at(*place->body.file, place->entry) : std::nullopt;
  if (!top) return result;
  // What an inlined function's variables belong to is the function that was inlined.
  const auto inlined = [](const DwarfEntry& entry) {
    return entry.tag() == tag::kInlinedSubroutine ? entry.reference(attribute::kAbstractOrigin) : std::nullopt;
  };
  struct Scope {
    uint64_t depth;
    DwarfEntry function;
  };
  std::vector<Scope> scopes{{0, inlined(*top).value_or(*top)}};
  top->for_each_below([&](const DwarfEntry& entry, uint64_t depth) {
    while (scopes.size() > 1 && scopes.back().depth >= depth) scopes.pop_back();
    if (const auto function = inlined(entry)) scopes.push_back({depth, *function});
    if (entry.tag() != tag::kVariable && entry.tag() != tag::kFormalParameter) return NextEntry::Below;
    result.push_back(describe(entry, scopes.back().function, place->unit));
    return result.size() < kMostLocals ? NextEntry::Behind : NextEntry::None;
  });
  return result;
}

LocalVariable VariableLookup::describe(const DwarfEntry& variable, const DwarfEntry& function, size_t linked_unit) {
  LocalVariable result;
  result.function = lookup_.name_of(function.file(), function.offset()).name;
  std::optional<uint8_t> base_register;
  if (const auto base = function.block(attribute::kFrameBase))
    if (!base->empty() && base->front() >= kReg0 && base->front() <= kReg31)
      base_register = static_cast<uint8_t>(base->front() - kReg0);
  for (const Bytes expression : locations_of(variable))
    if ((result.frame_offset = frame_offset(expression, base_register))) break;
  result.tag_offset = constant_of(variable, attribute::kLlvmTagOffset);

  const DwarfEntry about = variable.reference(attribute::kAbstractOrigin).value_or(variable);
  result.name = about.text(attribute::kName);
  if (const auto type = about.reference(attribute::kType)) result.size = size_of_type(*type);
  if (const auto number = constant_of(about, attribute::kDeclFile))
    result.declaration.file = lookup_.file_of(about.file(), about.unit_index(), linked_unit, *number);
  result.declaration.line = constant_of(about, attribute::kDeclLine).value_or(0);
  return result;
}

}  // namespace mortem::inspector::index
