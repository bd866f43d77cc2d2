// The index of a file's debug information: flat arrays that are mapped and searched as they stand. Little endian. A
// reader takes only the version that it knows; an index is made anew, never changed.
//
// header | checksums, one a block of kBlock bytes of what follows | sections, each aligned to 8
#pragma once

#include <cstdint>

namespace mortem::inspector::index {

inline constexpr uint64_t kIndexMagic = 0x3158444E494D544D;  // "MTMINDX1"
inline constexpr uint32_t kIndexVersion = 2;
inline constexpr uint32_t kBlock = 64 << 10;
inline constexpr uint32_t kNothing = ~uint32_t{0};  // as a number of anything

enum class IndexSection : uint32_t {
  // Addresses, here and below: regions (IndexRegion, by base), and starts (uint32_t, from their region's base, rising
  // within it), each good up to the next; what stands beside a start is a uint32_t.
  PlaceRegions,
  PlaceStarts,
  PlaceNodes,      // the innermost function there
  PlacePositions,  // what the line table says
  Nodes,           // IndexNode
  Functions,       // IndexFunction
  Positions,       // IndexPosition
  Files,           // IndexFileName
  Symbols,         // IndexSymbol, by address: of the executable
  DebugSymbols,    // the same of the debug file, where only that has a .symtab
  // Call frame information
  FrameRegions,
  FrameStarts,
  FrameRows,    // number of a row; kNothing: no information
  Rows,         // IndexRow
  Rules,        // IndexRule
  Expressions,  // bytes
  // Calls
  CallerRegions,
  CallerStarts,
  CallerNumbers,  // number of a caller; kNothing: no function is there
  Callers,        // IndexCaller
  TailCalls,      // IndexTailCall
  CallRegions,
  CallReturns,  // the addresses behind calls
  CallCallees,  // number of a callee
  Callees,      // IndexCallee
  Targets,      // uint64_t
  Text,         // strings, each with a 0 behind it
  Count,
};

struct IndexHeader {
  uint64_t magic = kIndexMagic;
  uint32_t version = kIndexVersion, section_count = static_cast<uint32_t>(IndexSection::Count);
  uint64_t file_size = 0;
  // What it was made from: another size means another file.
  uint64_t executable_size = 0, debug_size = 0, alternate_size = 0;
  uint8_t build_id[32] = {};
  uint32_t build_id_size = 0, block_count = 0;
  struct Section {
    uint64_t offset = 0, size = 0;
  } sections[static_cast<uint32_t>(IndexSection::Count)];
  uint64_t checksums_checksum = 0;  // of the block checksums
  uint64_t checksum = 0;            // of the header, with 0 here
};

struct IndexRegion {  // addresses that are less than 4 GiB from `base`, which is the first of them
  uint64_t base = 0;
  uint32_t first = 0, count = 0;
};
struct IndexNode {
  uint32_t function = kNothing, parent = kNothing;  // a subprogram has no parent
  uint32_t call = kNothing;                         // the position of the call that was inlined
  uint32_t has_start = 0;
  uint64_t start = 0;  // DW_AT_low_pc
};
struct IndexFunction {
  uint32_t linkage_name = kNothing, name = kNothing;  // in Text
  uint32_t declared_in = kNothing, declared_at = 0;   // file, line
};
struct IndexPosition {
  uint32_t file = kNothing, line = 0, column = 0, discriminator = 0;
};
struct IndexFileName {
  uint32_t path = 0, relative = 0, name = 0;  // in Text; then in the path
};
struct IndexSymbol {
  uint64_t address = 0, size = 0;
  uint32_t name = kNothing, file = kNothing;
};

struct IndexRule {  // UnwindRule
  int64_t offset = 0;
  uint32_t first_byte = 0, byte_count = 0;  // in Expressions
  uint16_t number = 0;
  uint8_t kind = 0, column = 0;  // column: the register that the rule is for
  uint32_t reserved = 0;
};
struct IndexRow {  // UnwindRow; registers without a rule here keep their values
  IndexRule cfa;
  uint32_t first_rule = 0;
  uint8_t rule_count = 0, return_address = 0, signal_frame = 0, reserved = 0;
};
struct IndexCaller {  // a function, at each of its addresses
  uint64_t start = 0;
  uint32_t first_tail_call = kNothing;  // kNothing: from the symbol table, its calls are not known
  uint32_t tail_call_count = 0;
};
struct IndexTailCall {
  uint64_t return_address = 0;  // behind the jump
  uint32_t callee = kNothing, reserved = 0;
};
struct IndexCallee {  // a function of this file by its parts' starts, one of another file by its name, or neither
  uint32_t first_target = 0, target_count = 0;
  uint32_t name = kNothing;  // in Text
};

}  // namespace mortem::inspector::index
