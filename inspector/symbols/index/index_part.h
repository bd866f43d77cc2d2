// What one thread gathers of an index: the places of some units, with tables of its own that are joined later.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "inspector/symbols/index/call_table.h"
#include "inspector/symbols/index/function_map.h"
#include "inspector/symbols/index/function_names.h"
#include "inspector/symbols/index/index_format.h"
#include "inspector/symbols/index/line_table.h"
#include "inspector/symbols/index/unit_ranges.h"

namespace mortem::inspector::index {

class IndexPart {
 public:
  struct Place {
    uint64_t start = 0;
    uint32_t node = kNothing, position = kNothing;
  };
  struct Function {
    std::string_view linkage_name, name;  // data() is null: none
    uint32_t declared_in = kNothing, declared_at = 0;
    bool operator==(const Function& other) const {
      return linkage_name.data() == other.linkage_name.data() && name.data() == other.name.data() &&
             declared_in == other.declared_in && declared_at == other.declared_at;
    }
  };

  // The file's units are prepared; other threads may read it.
  IndexPart(DwarfFile& dwarf, const SymbolTable& symbols) : calls(dwarf, symbols), dwarf_(dwarf), names_(dwarf) {}
  // `ranges`: those of the unit, rising.
  void add_unit(size_t unit, std::span<const UnitRanges::Range> ranges);

  std::vector<Place> places;  // of each range: from its start on, and one with nothing at its end
  std::vector<IndexNode> nodes;
  std::vector<Function> functions;
  std::vector<IndexPosition> positions;
  std::vector<SourceFile> files;
  CallTable calls;

 private:
  struct Covered {
    uint64_t low, high;
    uint32_t node;
  };
  struct PositionHash {
    size_t operator()(const IndexPosition& one) const;
  };
  struct SamePosition {
    bool operator()(const IndexPosition& a, const IndexPosition& b) const;
  };
  struct FunctionHash {
    size_t operator()(const Function& one) const;
  };

  void add_functions(size_t unit_number, std::span<const UnitRanges::Range> ranges);
  void add_covered(const FunctionMap& functions, size_t unit_number, DwarfFile& body,
                   const std::vector<RootFunction>* roots);
  uint32_t node_number(const FunctionMap& functions, uint32_t node, size_t unit_number, DwarfFile& body);
  uint32_t function_number(const FunctionNode& node, size_t unit, DwarfFile& body);
  uint32_t file_number(const DwarfFile& dwarf, size_t unit, uint64_t number);
  uint32_t position_number(uint32_t file, uint32_t line, uint32_t column, uint32_t discriminator);

  struct UnitFiles {
    std::optional<LineHeader> header;
    std::unordered_map<uint64_t, uint32_t> numbers;
  };
  UnitFiles& unit_files(const DwarfFile& dwarf, size_t unit);

  DwarfFile& dwarf_;
  ByBody<FunctionNames> names_;
  LineTable lines_;
  FunctionMap map_;
  std::vector<Covered> covered_;
  std::vector<uint64_t> boundaries_;
  std::vector<uint32_t> node_numbers_;  // of map_'s nodes
  std::unordered_map<size_t, UnitFiles> unit_files_, alternate_unit_files_;
  std::unordered_map<std::string, uint32_t> file_numbers_;
  std::unordered_map<IndexPosition, uint32_t, PositionHash, SamePosition> position_numbers_;
  std::unordered_map<Function, uint32_t, FunctionHash> function_numbers_;
};

}  // namespace mortem::inspector::index
