#include "inspector/analysis/freed_memory.h"

#include <algorithm>

#include "inspector/analysis/memory_values.h"

namespace mortem::inspector {
namespace {

// struct tcache_perthread_struct: 64 counts of 16 bits, 64 pointers; the first block of its heap, 0x290 bytes and
// flags.
constexpr uint64_t kLists = 64, kBlockSize = 0x290, kFlags = 7;
constexpr uint64_t kSearched = 0x1000;  // the heap of a thread starts with its arena

bool is_in_lists(const Target& target, uint64_t cache, uint64_t object) {
  for (uint64_t list = 0; list < kLists; ++list) {
    const auto count = load_value<uint16_t>(target, cache + 2 * list);
    auto block = load_value<uint64_t>(target, cache + 2 * kLists + 8 * list);
    if (!count || !block) return false;
    constexpr uint16_t kMost = 1024;
    for (uint16_t left = std::min(*count, kMost); left > 0 && *block != 0 && *block % 16 == 0; --left) {
      if (*block == object) return true;
      // "Safe linking": the pointer to the next one is mixed with its own address.
      const auto mixed = load_value<uint64_t>(target, *block);
      if (!mixed) break;
      block = *mixed ^ (*block >> 12);
    }
  }
  return false;
}

}  // namespace

bool is_freed(const snapshot::CoreFile& core, const Target& target, uint64_t object) {
  constexpr uint32_t kWritable = 2;
  if (object == 0 || object % 16 != 0) return false;
  for (const snapshot::CoreSegment& segment : core.segments()) {
    if ((segment.flags & kWritable) == 0) continue;
    const std::string start = load_bytes(target, segment.address, kSearched);
    for (uint64_t at = 8; at + 8 <= start.size(); at += 16) {
      uint64_t size;
      std::copy_n(start.data() + at, sizeof size, reinterpret_cast<char*>(&size));
      if ((size & ~kFlags) == kBlockSize && is_in_lists(target, segment.address + at + 8, object)) return true;
    }
  }
  return false;
}

}  // namespace mortem::inspector
