// Where a variable is at different places of the code: location lists (DWARF 5, section 2.6.2; DWARF 4, the same).
#pragma once

#include <vector>

#include "inspector/symbols/index/dwarf_entry.h"

namespace mortem::inspector::index {

// The expressions of the list that the entry's DW_AT_location names, in its order, wherever they hold. Empty: it names
// none, or one that cannot be read to its end.
std::vector<Bytes> location_list(const DwarfEntry& entry);

}  // namespace mortem::inspector::index
