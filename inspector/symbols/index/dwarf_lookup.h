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
  void locate(uint64_t address, bool declarations, std::vector<LookedUpFrame>& to) override;
  uint64_t locality(uint64_t address) override {
    const UnitRanges::Range* range = ranges_.find(address);
    return range ? range->unit : 0;
  }

  // The innermost function at an address, also one that is inlined there.
  struct FunctionPlace {
    size_t unit = 0;       // of the linked file: it has the line table
    DwarfFile::Body body;  // where the function's entry stands
    uint64_t entry = 0;
  };
  std::optional<FunctionPlace> function_at(uint64_t address);
  std::optional<size_t> unit_at(uint64_t address);
  // What a function, or a variable, is called and where it is declared.
  const FunctionName& name_of(DwarfFile& body, uint64_t entry) { return names_.of(body).find(entry, false); }
  // A file that an entry of `body` names by its number in the line table; null: there is none.
  const SourceFile* file_of(const DwarfFile& body, size_t unit_of_body, size_t linked_unit, uint64_t number) {
    // A .dwo file has no line table: the linked file's names its files.
    const bool is_part = &body != &dwarf_ && &body != dwarf_.alternate();
    return is_part ? file(dwarf_, linked_unit, number) : file(body, unit_of_body, number);
  }

 private:
  struct Files {
    std::optional<LineHeader> header;
    std::unordered_map<uint64_t, SourceFile> files;  // nodes do not move
  };
  struct UnitData {
    DwarfFile::Body body;
    bool is_overlapping = false;
    std::vector<RootFunction> roots;
    LineTable lines;
  };

  UnitData& data_of(size_t unit);
  const FunctionMap* functions_at(const UnitData& data, uint64_t address);
  Files& files_of(const DwarfFile& dwarf, size_t unit);
  const SourceFile* file(const DwarfFile& dwarf, size_t unit, uint64_t number);
  void describe(const FunctionNode& node, size_t unit, LookedUpFrame& frame, bool declarations);

  DwarfFile& dwarf_;
  UnitRanges ranges_;
  ByBody<FunctionNames> names_;
  std::unordered_map<size_t, UnitData> units_;
  size_t kept_ = 0;              // line rows and functions in it
  FunctionMap function_;         // the one that was asked for last
  uint64_t function_entry_ = 0;  // 0: none
  const DwarfFile* function_file_ = nullptr;

  std::unordered_map<size_t, Files> files_, alternate_files_;  // nodes do not move
  Files* last_files_ = nullptr;
  std::pair<const DwarfFile*, size_t> last_files_of_;
};

}  // namespace mortem::inspector::index
