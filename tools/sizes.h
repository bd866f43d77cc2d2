// Sizes as people write them: 64M, 1G, 512MiB, 4096.
#pragma once

#include <cstdint>
#include <string>

#include "snapshot/result.h"

namespace mortem::tools {

// `what` names the option or key in the error.
Result<uint64_t> parse_size(const std::string& text, const std::string& what);

// The guest's memory: between 12 MiB and 64 GiB, rounded up to a whole MiB.
Result<uint64_t> parse_memory(const std::string& text, const std::string& what);
inline constexpr uint64_t kDefaultMemory = 256ull << 20;

}  // namespace mortem::tools
