#include "inspector/unwind/memory_cache.h"

#include <algorithm>
#include <cstring>

namespace mortem::inspector {

const std::vector<uint8_t>& MemoryCache::page(uint64_t start) {
  if (start == last_start_) return *last_;
  if (pages_.size() >= kMaximumPages) pages_.clear();
  auto [place, is_new] = pages_.try_emplace(start);
  if (is_new) {
    place->second.resize(kPageSize);
    place->second.resize(target_.read_memory(start, place->second).value_or(0));
  }
  last_start_ = start;
  last_ = &place->second;
  return *last_;
}

size_t MemoryCache::read(uint64_t address, std::span<uint8_t> to) {
  size_t done = 0;
  while (done < to.size() && address + done >= address) {
    const uint64_t start = (address + done) & ~(kPageSize - 1), skip = (address + done) - start;
    const std::vector<uint8_t>& bytes = page(start);
    if (skip >= bytes.size()) {
      // A page that is there only in its later part is rare: the target answers for itself.
      const size_t rest = std::min<size_t>(to.size() - done, kPageSize - skip);
      const size_t got = target_.read_memory(address + done, to.subspan(done, rest)).value_or(0);
      done += got;
      if (got < rest) break;
      continue;
    }
    const size_t length = std::min<size_t>(bytes.size() - skip, to.size() - done);
    std::memcpy(to.data() + done, bytes.data() + skip, length);
    done += length;
  }
  return done;
}

std::optional<uint64_t> MemoryCache::read_word(uint64_t address) {
  uint64_t word;
  if (read(address, {reinterpret_cast<uint8_t*>(&word), sizeof(word)}) != sizeof(word)) return std::nullopt;
  return word;
}

}  // namespace mortem::inspector
