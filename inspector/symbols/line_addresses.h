// Where the code of a source line is, for breakpoints; and where a line begins, for steps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inspector/symbols/debug_file.h"

namespace mortem::inspector {

struct LineAddresses {
  uint32_t line = 0;                // that has code: the one asked for, or the next behind it that has; 0: none
  std::vector<uint64_t> addresses;  // in the file; the first of each run of rows, lowest first
};

// `file`: the end of its path ("pool.c", "src/pool.c").
LineAddresses addresses_of_line(DebugFile& debug, const std::string& file, uint32_t line);

struct StatementRow {
  uint64_t start = 0;  // in the file: the first instruction of the row
  uint32_t line = 0;
  bool is_statement = false;  // a place to stop at (DWARF 5, 6.2.2: is_stmt)
};

// The row of the line table that an address belongs to, read as gdb reads it, so that steps stop where people are used
// to: of several rows at one address the last that is a statement; rows of one line that only differ in their
// discriminators are one. Nothing: the address has no line.
std::optional<StatementRow> statement_row(DebugFile& debug, uint64_t address);

}  // namespace mortem::inspector
