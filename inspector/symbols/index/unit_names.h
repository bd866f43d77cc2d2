// Which units define something of a name outside of functions: variables, functions, types and enumerators. So that whoever looks
// for one reads those units, not all of them.
#pragma once

#include <string_view>
#include <vector>

#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector::index {

class UnitNames {
 public:
  // Reads the names of all units, and nothing else of them.
  explicit UnitNames(DwarfFile& dwarf);
  // `name`: as its entry has it, without namespaces and classes. Offsets in .debug_info, rising. Some of the units may
  // define nothing of that name, never the other way round.
  std::vector<uint64_t> units_with(std::string_view name) const;

 private:
  struct Definition {
    uint32_t hash = 0, unit = 0;
    bool operator<(const Definition& other) const { return hash != other.hash ? hash < other.hash : unit < other.unit; }
    bool operator==(const Definition&) const = default;
  };
  void add_unit(DwarfFile& dwarf, size_t index);
  void add(std::string_view name, size_t unit);

  const DwarfFile& dwarf_;
  std::vector<Definition> definitions_;  // sorted
};

// The last part of a name like `space::Class<a::b>::member`; nothing: where it begins cannot be told.
std::optional<std::string_view> last_part_of_name(std::string_view name);

}  // namespace mortem::inspector::index
