// Where a variable is: DWARF location expressions, evaluated (DWARF 5, sections 2.5 and 2.6). What they need to know
// of a frame and of other entries they ask of a context. What is not known stays unknown through every operator.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "inspector/unwind/memory_cache.h"
#include "inspector/values/type.h"

namespace mortem::inspector {

struct Missing {
  bool optimized_out = false;  // the compiler kept it nowhere; else: it is somewhere, and not known
  std::string why;
};
template <typename T>
using Found = tl::expected<T, Missing>;
inline tl::unexpected<Missing> not_known(std::string why) {
  return tl::unexpected<Missing>(Missing{false, std::move(why)});
}
inline tl::unexpected<Missing> is_optimized_out() {
  return tl::unexpected<Missing>(Missing{true, "optimized out"});
}

struct ExpressionType {  // DW_TAG_base_type of a typed stack entry; the default is the generic type
  TypeKind kind = TypeKind::Unsigned;
  uint64_t size = 8;
  bool generic = true;
};

class LocationContext {
 public:
  virtual ~LocationContext() = default;
  virtual Found<std::vector<uint8_t>> register_bytes(uint64_t number) = 0;  // all that are known of it, 8 or more
  virtual Found<uint64_t> frame_base() = 0;
  virtual Found<uint64_t> cfa() = 0;
  virtual uint64_t load_bias() = 0;
  virtual Found<uint64_t> indexed(uint64_t index) = 0;  // an element of .debug_addr, as it stands there
  virtual Found<uint64_t> thread_local_address(uint64_t offset) = 0;
  virtual Found<uint64_t> entry_value(std::span<const uint8_t> expression) = 0;
  virtual Found<uint64_t> parameter_at_entry(uint64_t unit_offset) = 0;  // DW_OP_GNU_parameter_ref
  virtual Found<uint64_t> variable_value(uint64_t info_offset) = 0;      // DW_OP_GNU_variable_value
  virtual Found<ExpressionType> base_type(uint64_t unit_offset) = 0;
  // The DW_AT_location of another entry: DW_OP_call2, call4 (in the unit), call_ref (in the section).
  virtual Found<std::vector<uint8_t>> called(uint64_t offset, bool in_unit) = 0;
  virtual unsigned offset_size() { return 4; }  // of references: 8 in 64-bit DWARF
};

struct LocationPiece {
  enum class Kind { Memory, Register, Bytes, ImplicitPointer, Missing };
  Kind kind = Kind::Missing;
  uint64_t address = 0;
  uint64_t register_number = 0;
  std::vector<uint8_t> bytes;
  uint64_t entry_offset = 0;  // ImplicitPointer: in .debug_info, of what is pointed to
  int64_t byte_offset = 0;    // ImplicitPointer
  Missing missing;
  uint64_t bit_size = 0;    // 0: the whole object
  uint64_t bit_offset = 0;  // in the place it is in
};

struct LocationInput {
  std::optional<uint64_t> object_address;  // DW_OP_push_object_address
  std::vector<uint64_t> stack;             // pushed first
};

// Never empty. The error is for what makes all of it unknown.
Found<std::vector<LocationPiece>> evaluate_location(std::span<const uint8_t> expression, LocationContext& context,
                                                    MemoryCache& memory, const LocationInput& input = {});
// Of an expression that stands for a number or an address (member offsets, lengths of arrays, call values): what is on
// top of the stack at its end, or the content of the register that it names.
Found<uint64_t> evaluate_number(std::span<const uint8_t> expression, LocationContext& context, MemoryCache& memory,
                                const LocationInput& input = {});

}  // namespace mortem::inspector
