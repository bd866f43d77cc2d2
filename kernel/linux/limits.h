// Resource limits (getrlimit(2)): kept and shown; the ones that mean something here are applied.
#pragma once

#include <cstdint>

namespace kernel::linux {

struct ResourceLimit {
  uint64_t soft, hard;
};
inline constexpr uint64_t kUnlimited = ~uint64_t{0};
inline constexpr int kLimitStack = 3, kLimitCore = 4, kLimitFiles = 7, kLimitCount = 16;
extern ResourceLimit g_limits[kLimitCount];

inline constexpr uint64_t kStackSize = 8 << 20;

}  // namespace kernel::linux
