// What a file says of a code address: the same questions to the debug information itself and to the index of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inspector/symbols/index/line_table.h"

namespace mortem::inspector::index {

// One function at an address. Views and pointers live until the next look-up.
struct LookedUpFrame {
  std::string_view function;              // as the debug information spells it; data() is null: it has no name
  std::string_view short_name;            // without scope and parameters; data() is null: it has none
  const SourceFile* file = nullptr;       // null: unknown
  const SourceFile* declared_in = nullptr;  // null: unknown
  uint32_t line = 0, column = 0, discriminator = 0;
  uint32_t declared_at = 0;               // line
  std::optional<uint64_t> start;          // DW_AT_low_pc
};

class AddressLookup {
 public:
  virtual ~AddressLookup() = default;
  // Innermost first. Empty: the debug information says nothing of the address. `declarations`: fill declared_in too.
  virtual void locate(uint64_t address, bool declarations, std::vector<LookedUpFrame>& to) = 0;
  // Addresses are looked up fastest in rising order of this, then of their own value.
  virtual uint64_t locality(uint64_t) { return 0; }
};

}  // namespace mortem::inspector::index
