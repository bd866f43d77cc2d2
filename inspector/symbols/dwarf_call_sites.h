// Call sites by the reader of our own: only the function that an address is in is read, and nothing is kept of others.
#pragma once

#include "inspector/symbols/call_sites.h"
#include "inspector/symbols/index/unit_ranges.h"

namespace mortem::inspector {

// All must outlive the result. Knows nothing of units whose entries stand in .dwo files.
std::unique_ptr<CallSites> read_call_sites(index::DwarfFile& dwarf, const index::UnitRanges& ranges,
                                           const SymbolTable& symbols);

}  // namespace mortem::inspector
