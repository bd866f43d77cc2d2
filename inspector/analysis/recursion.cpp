#include "inspector/analysis/recursion.h"

#include <unordered_map>

namespace mortem::inspector {
namespace {

constexpr size_t kLongestPeriod = 512;
constexpr size_t kFewestRepeats = 3;
constexpr size_t kMostCandidates = 64;  // a frame may stand several times in one period

}  // namespace

std::vector<Recursion> find_recursions(std::span<const uint64_t> frames) {
  constexpr size_t kNone = ~size_t{0};
  // The next frame that is equal: only its distance, and that of those behind it, can be a period.
  std::vector<size_t> next(frames.size(), kNone);
  std::unordered_map<uint64_t, size_t> later;
  for (size_t index = frames.size(); index-- > 0;) {
    auto [place, is_new] = later.try_emplace(frames[index], index);
    if (!is_new) next[index] = place->second;
    place->second = index;
  }
  std::vector<Recursion> runs;
  for (size_t start = 0; start < frames.size();) {
    size_t other = next[start], covered = 0;
    for (size_t tries = 0; other != kNone && other - start <= kLongestPeriod && tries < kMostCandidates; ++tries) {
      const size_t period = other - start;
      size_t equal = 0;
      while (other + equal < frames.size() && frames[start + equal] == frames[other + equal]) ++equal;
      const size_t count = equal / period + 1;
      if (count >= kFewestRepeats) {
        runs.push_back({start, period, count});
        covered = period * count;
        break;
      }
      other = next[other];
    }
    start += covered > 0 ? covered : 1;
  }
  return runs;
}

}  // namespace mortem::inspector
