// The calls that go into an index: of some units, by one thread, then of all.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "inspector/symbols/dwarf_call_sites.h"
#include "inspector/symbols/index/function_map.h"
#include "inspector/symbols/index/index_writer.h"

namespace mortem::inspector::index {

class CallTable {
 public:
  // As DwarfCallReader. Of `symbols` the functions are there already when there are threads.
  CallTable(DwarfFile& dwarf, const SymbolTable& symbols) : symbols_(symbols), readers_(dwarf, symbols) {}
  // `ranges`: those of the unit, rising.
  void add_unit(const DwarfFile::Body& body, const std::vector<RootFunction>& roots,
                std::span<const UnitRanges::Range> ranges);
  void append(const CallTable& other);
  void write(IndexWriter& writer);

 private:
  struct Call {
    uint64_t return_address = 0;
    uint32_t callee = kNothing;
  };
  struct Span {
    uint64_t low = 0, high = 0;
    uint32_t caller = 0;
  };
  struct Callee {
    std::vector<uint64_t> targets;
    std::string external;
  };
  uint32_t callee_number(const std::vector<uint64_t>& targets, const std::string& external);

  const SymbolTable& symbols_;
  ByBody<DwarfCallReader, const SymbolTable> readers_;
  std::vector<Span> spans_;
  std::vector<IndexCaller> callers_;
  std::vector<IndexTailCall> tail_calls_;
  std::vector<Call> calls_;
  std::vector<Callee> callees_;
  std::unordered_map<std::string, uint32_t> callee_numbers_;
};

}  // namespace mortem::inspector::index
