// Which unit an address is in, by .debug_aranges and by the units' own entries where that says nothing of them. Of
// units that overlap the one is taken that llvm::DWARFDebugAranges takes.
#pragma once

#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector::index {

class UnitRanges {
 public:
  struct Range {
    uint64_t low = 0, high = 0, unit = 0;  // the unit's offset in .debug_info
  };
  explicit UnitRanges(DwarfFile& dwarf);
  const Range* find(uint64_t address) const;  // null: in none
  const std::vector<Range>& all() const { return ranges_; }

 private:
  struct Endpoint {
    uint64_t address = 0, unit = 0;
    bool is_start = false;
  };
  void add(uint64_t unit, uint64_t low, uint64_t high);
  std::vector<uint64_t> read_section(const DwarfFile& dwarf);
  void join();

  std::vector<Endpoint> endpoints_;
  std::vector<Range> ranges_;
};

}  // namespace mortem::inspector::index
