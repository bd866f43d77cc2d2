// Finds runs of frames that repeat.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inspector/analysis/stack.h"

namespace mortem::inspector {

// `frames`: one number a frame, equal for equal frames. Each run has the smallest period that gives at least three
// repeats; runs do not overlap. Time is linear in the number of frames: the period is bounded.
std::vector<Recursion> find_recursions(std::span<const uint64_t> frames);

}  // namespace mortem::inspector
