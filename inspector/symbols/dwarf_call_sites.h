// Call sites by the reader of our own: only the function that an address is in is read, and nothing is kept of others.
#pragma once

#include "inspector/symbols/call_sites.h"
#include "inspector/symbols/index/function_names.h"
#include "inspector/symbols/index/unit_ranges.h"

namespace mortem::inspector {

// The calls of one function after another.
class DwarfCallReader {
 public:
  // Both must outlive this.
  DwarfCallReader(index::DwarfFile& dwarf, const SymbolTable& symbols);
  ~DwarfCallReader();
  // `offset`: of the function's entry in .debug_info. Adds to `function`.
  void read(const index::Unit& unit, uint64_t offset, CallingFunction& function);

 private:
  struct Entry;
  void add_call(const index::Unit& unit, const Entry& call, bool lists_all, CallingFunction& function);
  void find_targets(const index::Value& origin, CallSite& site);
  std::optional<Entry> entry_of(const index::Value& reference);
  Entry read_entry(ByteCursor& cursor, const index::Unit& unit, const index::Abbreviation& shape) const;
  std::vector<uint64_t> starts_of(const Entry& entry) const;

  index::DwarfFile& dwarf_;
  const SymbolTable& symbols_;
  index::FunctionNames names_;
};

// All must outlive the result.
std::unique_ptr<CallSites> read_call_sites(index::DwarfFile& dwarf, const index::UnitRanges& ranges,
                                           const SymbolTable& symbols);

}  // namespace mortem::inspector
