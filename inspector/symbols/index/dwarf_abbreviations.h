// The shapes of debugging information entries (DWARF 5, section 7.5.3), each decoded once into what it takes to step
// over an entry of that shape.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "inspector/elf/byte_cursor.h"
#include "inspector/symbols/index/dwarf_sections.h"

namespace mortem::inspector::index {

struct Encoding {
  uint16_t version = 0;
  uint8_t address_size = 8;
  bool is_64_bit = false;
  uint8_t offset_size() const { return is_64_bit ? 8 : 4; }
};

struct AttributeShape {
  uint16_t attribute = 0, form = 0;
  uint32_t implicit = 0;  // of DW_FORM_implicit_const: which one of its table's values
};

struct Abbreviation {
  enum class Role : uint8_t {
    Other,
    Subroutine,  // a function or an inlined one
    Type,
    CallSite,
  };
  uint16_t tag = 0;
  Role role = Role::Other;
  bool has_children = false;
  bool has_code = false;      // DW_AT_low_pc or DW_AT_ranges
  bool has_constant = false;  // DW_AT_const_value
  bool valid = false;
  uint32_t first_attribute = 0, attribute_count = 0;
  uint32_t first_step = 0, step_count = 0;
};

class AbbreviationTable {
 public:
  static std::unique_ptr<AbbreviationTable> decode(Bytes section, uint64_t offset, const Encoding& encoding);

  const Abbreviation* find(uint64_t code) const {  // null: none
    if (code < dense_.size()) return dense_[code].valid ? &dense_[code] : nullptr;
    const auto found = sparse_.find(code);
    return found == sparse_.end() ? nullptr : &found->second;
  }
  std::span<const AttributeShape> attributes(const Abbreviation& one) const {
    return {attributes_.data() + one.first_attribute, one.attribute_count};
  }
  int64_t implicit_value(const AttributeShape& shape) const { return implicit_values_[shape.implicit]; }
  // Moves the cursor behind the attributes; the value of DW_AT_sibling, from the unit's start, or 0.
  uint64_t step_over(const Abbreviation& one, ByteCursor& cursor) const;

 private:
  struct Step {
    enum class Kind : uint8_t { Fixed, Leb, Text, Block1, Block2, Block4, Block, Indirect, Sibling };
    Kind kind = Kind::Fixed;
    uint32_t size = 0;
  };
  void add_step(Abbreviation& to, const AttributeShape& shape);

  Encoding encoding_;
  std::vector<Abbreviation> dense_;
  std::unordered_map<uint64_t, Abbreviation> sparse_;
  std::vector<AttributeShape> attributes_;
  std::vector<int64_t> implicit_values_{0};
  std::vector<Step> steps_;
};

// The bytes of a form whose size does not depend on its content; -1 for others.
int fixed_size(uint16_t form, const Encoding& encoding);
void skip_form(ByteCursor& cursor, uint16_t form, const Encoding& encoding);

}  // namespace mortem::inspector::index
