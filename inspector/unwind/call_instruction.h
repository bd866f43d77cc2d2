// Recognizes call instructions from behind (Intel SDM vol. 2, CALL).
#pragma once

#include <cstdint>
#include <span>

namespace mortem::inspector {

inline constexpr size_t kShortestCall = 2, kLongestCall = 8;

// The bytes end in a near call: E8 rel32, or FF /2 with any operand.
bool ends_in_call(std::span<const uint8_t> bytes);

}  // namespace mortem::inspector
