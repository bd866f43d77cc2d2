// Reads of a few bytes at a time, answered from pages read once: a deep stack is read word by word.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "inspector/target/target.h"

namespace mortem::inspector {

class MemoryCache {
 public:
  explicit MemoryCache(const Target& target) : target_(target) {}

  size_t read(uint64_t address, std::span<uint8_t> to);  // number of bytes that are there
  std::optional<uint64_t> read_word(uint64_t address);   // 8 bytes

 private:
  static constexpr uint64_t kPageSize = 4096;
  static constexpr size_t kMaximumPages = 16384;
  const std::vector<uint8_t>& page(uint64_t start);

  const Target& target_;
  std::unordered_map<uint64_t, std::vector<uint8_t>> pages_;  // as much of a page as is there from its first byte on
  uint64_t last_start_ = 1;
  const std::vector<uint8_t>* last_ = nullptr;
};

}  // namespace mortem::inspector
