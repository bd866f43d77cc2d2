// Looks for bytes or pointers in all that a target holds of its memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "inspector/target/target.h"
#include "snapshot/progress.h"

namespace mortem::inspector {

struct BytePattern {
  std::vector<uint8_t> bytes;
  std::vector<bool> any;  // beside `bytes`: whatever stands there
};
// Two hexadecimal digits a byte, "??" for any, with blanks or without: "de ad ?? ef".
Result<BytePattern> parse_byte_pattern(std::string_view text);
BytePattern text_pattern(std::string_view text);

struct PointerRange {
  uint64_t first = 0, last = 0;  // both inside
  bool aligned_only = true;      // words at multiples of 8, where compilers put pointers
};

struct Search {
  BytePattern pattern;  // empty: pointers are looked for
  PointerRange pointers;
};

enum class SearchAnswer { GoOn, Enough };
// `bytes`: what was found and some bytes after it, as far as they are in the same piece of memory.
using SearchFound = std::function<SearchAnswer(uint64_t address, std::span<const uint8_t> bytes)>;

struct SearchTotals {
  uint64_t bytes = 0;       // looked through
  uint64_t unreadable = 0;  // held, but damaged in the file
  bool complete = true;     // false: enough was found, or it was cancelled
};

// By address. What is found in the kernel's view of pages that are held elsewhere is left out. Nothing is found across
// a gap between regions. `more`: regions besides those of the target, that it can read (FileBackedTarget).
SearchTotals search_memory(const Target& target, std::span<const TargetRegion> more, const Search& search,
                           const SearchFound& found, const snapshot::Progress& progress);

}  // namespace mortem::inspector
