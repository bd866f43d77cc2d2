// The variables of a file, by address: which global one is there, which local ones a function has. Its answers are
// llvm-symbolizer's to DATA and FRAME; where entries stand in .dwo files it has none and this has.
#pragma once

#include <map>
#include <string_view>

#include "inspector/symbols/index/dwarf_entry.h"
#include "inspector/symbols/index/dwarf_lookup.h"

namespace mortem::inspector::index {

struct Declaration {
  const SourceFile* file = nullptr;  // null: unknown
  uint64_t line = 0;                 // 0: unknown
};

struct LocalVariable {
  std::string_view function, name;  // without scope and parameters; data() is null: it has none
  Declaration declaration;
  std::optional<int64_t> frame_offset;  // in bytes from the frame's base (DW_AT_frame_base)
  std::optional<uint64_t> size;         // of its type, in bytes
  std::optional<uint64_t> tag_offset;   // DW_AT_LLVM_tag_offset, of tagged memory
};

class VariableLookup {
 public:
  VariableLookup(DwarfFile& dwarf, DwarfLookup& lookup) : dwarf_(dwarf), lookup_(lookup) {}
  // Of the global variable at `address`, also one that only a function knows. The first call reads all entries.
  Declaration declaration(uint64_t address);
  // Parameters and variables of the innermost function at `address`, in the order of its entries, with those of what is
  // inlined into it.
  std::vector<LocalVariable> locals(uint64_t address);

 private:
  struct Span {
    uint64_t low = 0, high = 0;
    DwarfFile* file = nullptr;
    size_t unit = 0;  // of the linked file
    uint64_t entry = 0;
  };
  std::vector<Span> spans_of(size_t unit);
  void read_all();
  LocalVariable describe(const DwarfEntry& variable, const DwarfEntry& function, size_t linked_unit);

  DwarfFile& dwarf_;
  DwarfLookup& lookup_;
  bool all_are_read_ = false;
  std::map<uint64_t, Span> all_;                 // by low; of units that overlap the first has an address
  std::map<size_t, std::vector<Span>> by_unit_;  // of units whose code is said to be at an address that was asked for
};

}  // namespace mortem::inspector::index
