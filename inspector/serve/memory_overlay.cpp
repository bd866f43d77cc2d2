#include "inspector/serve/memory_overlay.h"

namespace mortem::inspector {

void MemoryOverlay::write(uint64_t address, std::span<const uint8_t> bytes) {
  for (size_t index = 0; index < bytes.size(); ++index) {
    const uint64_t at = address + index;
    Page& page = pages_[at / kPageSize];
    page.bytes[at % kPageSize] = bytes[index];
    page.written.set(at % kPageSize);
  }
}

void MemoryOverlay::apply(uint64_t address, std::span<uint8_t> bytes) const {
  if (bytes.empty()) return;
  const uint64_t last = address + (bytes.size() - 1);
  for (auto page = pages_.lower_bound(address / kPageSize); page != pages_.end() && page->first <= last / kPageSize;
       ++page) {
    for (uint64_t offset = 0; offset < kPageSize; ++offset) {
      const uint64_t at = page->first * kPageSize + offset;
      if (page->second.written.test(offset) && at >= address && at <= last)
        bytes[at - address] = page->second.bytes[offset];
    }
  }
}

}  // namespace mortem::inspector
