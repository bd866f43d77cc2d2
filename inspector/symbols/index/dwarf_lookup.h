// Addresses looked up in the debug information itself. Only what an address needs is read: its unit's functions and
// lines, and of the functions the one that holds it. Addresses in rising order cost least.
#pragma once

#include <unordered_map>

#include "inspector/symbols/index/address_lookup.h"
#include "inspector/symbols/index/function_map.h"
#include "inspector/symbols/index/function_names.h"
#include "inspector/symbols/index/unit_ranges.h"

namespace mortem::inspector::index {

class DwarfLookup final : public AddressLookup {
 public:
  explicit DwarfLookup(DwarfFile& dwarf) : dwarf_(dwarf), ranges_(dwarf), names_(dwarf) {}
  void locate(uint64_t address, std::vector<LookedUpFrame>& to) override;

 private:
  struct Files {
    std::optional<LineHeader> header;
    std::unordered_map<uint64_t, SourceFile> files;  // nodes do not move
  };
  struct UnitData {
    bool has_functions = false, is_overlapping = false, has_lines = false;
    std::vector<RootFunction> roots;
    std::unordered_map<uint64_t, FunctionMap> functions;  // by their entry; of overlapping ones the whole unit, at 0
    LineTable lines;
  };

  UnitData& data_of(size_t unit);
  const FunctionMap* functions_at(UnitData& data, const Unit& unit, uint64_t address);
  Files& files_of(const DwarfFile& dwarf, size_t unit);
  const SourceFile* file(const DwarfFile& dwarf, size_t unit, uint64_t number);
  void describe(const FunctionNode& node, LookedUpFrame& frame);

  DwarfFile& dwarf_;
  UnitRanges ranges_;
  FunctionNames names_;
  std::unordered_map<size_t, UnitData> units_;
  std::unordered_map<size_t, Files> files_, alternate_files_;
};

}  // namespace mortem::inspector::index
