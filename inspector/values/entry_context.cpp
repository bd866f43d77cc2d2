#include "inspector/values/entry_context.h"

#include <fmt/format.h>

#include <algorithm>

namespace mortem::inspector {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

namespace {

tl::unexpected<Missing> no_frame() {
  return not_known("its place depends on a frame, and none was chosen");
}

}  // namespace

std::optional<std::vector<uint8_t>> expression_at(const DWARFDie& die, dwarf::Attribute attribute,
                                                  std::optional<uint64_t> address) {
  if (!die.find(attribute)) return std::nullopt;
  auto locations = die.getLocations(attribute);
  if (!locations) {
    llvm::consumeError(locations.takeError());
    return std::nullopt;
  }
  const llvm::DWARFLocationExpression* chosen = nullptr;
  for (const llvm::DWARFLocationExpression& one : *locations) {
    // DW_LLE_default_location has no range: it counts where no other does (DWARF 5, section 2.6.2).
    if (!one.Range) {
      if (!chosen) chosen = &one;
    } else if (address && *address >= one.Range->LowPC && *address < one.Range->HighPC) {
      chosen = &one;
      break;
    }
  }
  if (!chosen) return std::nullopt;
  return std::vector<uint8_t>(chosen->Expr.begin(), chosen->Expr.end());
}

bool has_location_of_a_part(const DWARFDie& variable, uint64_t size) {
  if (size <= sizeof(uint64_t) || language_of(*variable.getDwarfUnit()) != Language::Go) return false;
  auto locations = variable.getLocations(dwarf::DW_AT_location);
  if (!locations) {
    llvm::consumeError(locations.takeError());
    return false;
  }
  return std::ranges::any_of(*locations, [](const llvm::DWARFLocationExpression& one) {
    return one.Expr.size() == 1 && one.Expr[0] >= dwarf::DW_OP_reg0 && one.Expr[0] <= dwarf::DW_OP_reg31;
  });
}

Found<std::vector<uint8_t>> EntryContext::register_bytes(uint64_t number) {
  if (!frame_) return no_frame();
  return frame_->register_bytes(number);
}

Found<uint64_t> EntryContext::frame_base() {
  if (!frame_) return no_frame();
  return frame_->frame_base();
}

Found<uint64_t> EntryContext::cfa() {
  if (!frame_) return no_frame();
  return frame_->cfa();
}

Found<uint64_t> EntryContext::indexed(uint64_t index) {
  if (index > UINT32_MAX) return not_known("its location has a broken index");
  const auto address = unit_.getAddrOffsetSectionItem(static_cast<uint32_t>(index));
  if (!address) return not_known(fmt::format("address {} of .debug_addr is not there", index));
  return address->Address;
}

Found<uint64_t> EntryContext::thread_local_address(uint64_t offset) {
  if (!frame_) return not_known("it is thread-local, and no thread was chosen");
  const auto registers = program_.target.registers(frame_->thread());
  if (!registers) return not_known(registers.error().message);
  return inspector::thread_local_address(program_.target, program_.reader.memory(), module_, registers->fs_base,
                                         offset);
}

Found<uint64_t> EntryContext::entry_value(std::span<const uint8_t> expression) {
  if (!frame_) return no_frame();
  return frame_->entry_value(expression);
}

Found<uint64_t> EntryContext::parameter_at_entry(uint64_t unit_offset) {
  if (!frame_) return no_frame();
  return frame_->parameter_at_entry(unit_.getOffset() + unit_offset);
}

Found<uint64_t> EntryContext::variable_value(uint64_t info_offset) {
  const DWARFDie die = unit_.getContext().getDIEForOffset(info_offset);
  if (!die) return not_known("its location names an entry that is not there");
  return program_.reader.read_integer(program_.value_of(die, module_, frame_));
}

Found<ExpressionType> EntryContext::base_type(uint64_t unit_offset) {
  const DWARFDie die = unit_.getDIEForOffset(unit_.getOffset() + unit_offset);
  if (!die || die.getTag() != dwarf::DW_TAG_base_type) return not_known("its location names a type that is not there");
  const Type* type = program_.types.at(die);
  return ExpressionType{type->kind, type->size, false};
}

Found<std::vector<uint8_t>> EntryContext::called(uint64_t offset, bool in_unit) {
  const DWARFDie die =
      in_unit ? unit_.getDIEForOffset(unit_.getOffset() + offset) : unit_.getContext().getDIEForOffset(offset);
  if (!die) return not_known("its location calls an entry that is not there");
  const auto address = frame_ ? std::optional(frame_->lookup() - module_.load_bias()) : std::nullopt;
  return expression_at(die, dwarf::DW_AT_location, address).value_or(std::vector<uint8_t>{});
}

}  // namespace mortem::inspector
