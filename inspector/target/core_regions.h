// What a core holds of memory, as a list of regions.
#pragma once

#include <vector>

#include "inspector/target/target.h"

namespace mortem::inspector {

// By address, without overlap. Its segments as far as they are stored, and what the page map adds to them.
std::vector<TargetRegion> regions_of(const snapshot::CoreFile& core, Scope scope);

}  // namespace mortem::inspector
