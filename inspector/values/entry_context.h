// What a location expression of one debug information entry may ask. For this folder.
#pragma once

#include "inspector/values/frame_scope.h"

namespace mortem::inspector {

class EntryContext final : public LocationContext {
 public:
  // `frame`: null for what stands outside of functions.
  EntryContext(Program& program, DwarfModule& module, llvm::DWARFUnit& unit, FrameScope* frame)
      : program_(program), module_(module), unit_(unit), frame_(frame) {}

  Found<std::vector<uint8_t>> register_bytes(uint64_t number) override;
  Found<uint64_t> frame_base() override;
  Found<uint64_t> cfa() override;
  uint64_t load_bias() override { return module_.load_bias(); }
  Found<uint64_t> indexed(uint64_t index) override;
  Found<uint64_t> thread_local_address(uint64_t offset) override;
  Found<uint64_t> entry_value(std::span<const uint8_t> expression) override;
  Found<uint64_t> parameter_at_entry(uint64_t unit_offset) override;
  Found<uint64_t> variable_value(uint64_t info_offset) override;
  Found<ExpressionType> base_type(uint64_t unit_offset) override;
  Found<std::vector<uint8_t>> called(uint64_t offset, bool in_unit) override;
  unsigned offset_size() override { return unit_.getDwarfOffsetByteSize(); }

 private:
  Program& program_;
  DwarfModule& module_;
  llvm::DWARFUnit& unit_;
  FrameScope* frame_;
};

// The expression of an attribute that holds one, or of a location list the one for `address` (in the file). Nothing:
// there is none there.
std::optional<std::vector<uint8_t>> expression_at(const llvm::DWARFDie& die, llvm::dwarf::Attribute attribute,
                                                  std::optional<uint64_t> address);

// Whether a variable of `size` bytes is said to be one register somewhere: then its locations are those of a part of
// it. Go's compiler, optimizing, writes such ones (seen with 1.19) of interfaces whose other word is a constant.
bool has_location_of_a_part(const llvm::DWARFDie& variable, uint64_t size);

}  // namespace mortem::inspector
