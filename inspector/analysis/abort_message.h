// The text with which glibc ended the program.
#pragma once

#include <string>

#include "inspector/symbols/symbolizer.h"

namespace mortem::inspector {

// One line; empty: none is in memory.
std::string find_abort_message(const snapshot::CoreFile& core, Symbolizer& symbolizer);

}  // namespace mortem::inspector
