// Functions by which programs die, and which say nothing of why: abort, raise, std::terminate, malloc's inside, memcpy.
#pragma once

#include <string>

#include "inspector/analysis/stack.h"

namespace mortem::inspector {

// `name`: by stable_function_name(). The frame's caller is what tells.
bool is_noise_function(const std::string& name);
// The first frame that tells something: noise at the top, signal trampolines and unnamed library frames skipped.
// frames.size(): none.
size_t first_telling_frame(const Stack& stack);

}  // namespace mortem::inspector
