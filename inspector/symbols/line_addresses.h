// Where the code of a source line is: for breakpoints.
#pragma once

#include <cstdint>
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

}  // namespace mortem::inspector
