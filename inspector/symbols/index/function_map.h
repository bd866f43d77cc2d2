// The functions of a unit, or one of them, with everything that is inlined there: which is at an address.
#pragma once

#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector::index {

struct FunctionNode {
  static constexpr uint32_t kNone = ~uint32_t{0};
  uint64_t entry = 0;       // in .debug_info
  uint64_t name_entry = 0;  // where its name is looked for: there, or in the function that was inlined
  bool name_in_alternate = false;
  bool is_subprogram = false;  // else inlined into `parent`
  bool has_start = false;
  uint64_t start = 0;       // DW_AT_low_pc
  uint32_t parent = kNone;  // the subroutine around it
  uint32_t call_file = 0, call_line = 0, call_column = 0, call_discriminator = 0;
};

// Addresses to nodes; a later range takes what it covers from an earlier one, exactly as llvm::DWARFUnit's
// updateAddressDieMap does it, also where ranges are not nested.
class NodeRanges {
 public:
  struct Entry {
    uint64_t low = 0, high = 0;
    uint32_t node = 0;
  };
  void clear() {
    entries_.clear();
    moved_ = 0;
  }
  void add(const AddressRange& range, uint32_t node);
  const Entry* find(uint64_t address) const;  // null: none
  const std::vector<Entry>& all() const { return entries_; }

 private:
  std::vector<Entry> entries_;  // by low, which are all different
  uint64_t moved_ = 0;          // to make room for others
};

class FunctionMap {
 public:
  // The function at `offset` with what is inlined into it; the unit's own entry gives the whole unit.
  void read(const DwarfFile& dwarf, const Unit& unit, uint64_t offset);

  // Index of the innermost node; kNone: no function is there.
  uint32_t find(uint64_t address) const;
  const std::vector<FunctionNode>& nodes() const { return nodes_; }
  const NodeRanges& ranges() const { return ranges_; }

 private:
  void add_node(const DwarfFile& dwarf, const Unit& unit, const Abbreviation& shape, ByteCursor& cursor,
                uint64_t offset, uint32_t parent);

  std::vector<FunctionNode> nodes_;
  NodeRanges ranges_;
  std::vector<AddressRange> scratch_;
  std::vector<uint32_t> parents_;
};

// The functions of a unit without what is inlined into them: also those that stand in a type (a lambda) or function.
struct RootFunction {
  uint64_t low = 0, high = 0, entry = 0;
};
// Sorted by low. `overlapping`: two of them share an address, so that only the whole unit's map is right.
std::vector<RootFunction> find_root_functions(const DwarfFile& dwarf, const Unit& unit, bool* overlapping);
// Of functions that lie on one another the last that starts before an address has it: what each has then, rising.
std::vector<RootFunction> function_spans(const std::vector<RootFunction>& roots);

}  // namespace mortem::inspector::index
