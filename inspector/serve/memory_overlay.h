// Bytes that a debugger has written over a target that cannot be changed: each is kept here and shown from here.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <span>

namespace mortem::inspector {

class MemoryOverlay {
 public:
  bool empty() const { return pages_.empty(); }
  void write(uint64_t address, std::span<const uint8_t> bytes);
  // Puts what was written over `bytes`, which were read at `address`.
  void apply(uint64_t address, std::span<uint8_t> bytes) const;

 private:
  static constexpr uint64_t kPageSize = 4096;
  struct Page {
    std::array<uint8_t, kPageSize> bytes;
    std::bitset<kPageSize> written;
  };
  std::map<uint64_t, Page> pages_;  // by address / kPageSize
};

}  // namespace mortem::inspector
