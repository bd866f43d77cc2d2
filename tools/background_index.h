// Has an index made anew while the verb that missed it goes on.
#pragma once

#include <string>
#include <vector>

#include "tools/symbol_options.h"

namespace mortem::tools {

// `mortem index` for one file, nice and with no terminal, that outlives us. False: no process could be started.
bool start_index(const std::string& executable, const std::string& debug, const SymbolFlags& flags);

}  // namespace mortem::tools
