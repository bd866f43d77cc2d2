// Single values out of a target's memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "inspector/target/target.h"

namespace mortem::inspector {

template <typename T>
std::optional<T> load_value(const Target& target, uint64_t address) {
  T value;
  const auto got = target.read_memory(address, {reinterpret_cast<uint8_t*>(&value), sizeof value});
  if (!got || *got != sizeof value) return std::nullopt;
  return value;
}

// At most `size` bytes; fewer if the memory ends.
inline std::string load_bytes(const Target& target, uint64_t address, size_t size) {
  std::string bytes(size, '\0');
  const auto got = target.read_memory(address, {reinterpret_cast<uint8_t*>(bytes.data()), size});
  bytes.resize(got ? std::min(*got, size) : 0);
  return bytes;
}

// Up to its NUL. Nothing: the memory ends before, or it is longer than `longest`.
inline std::optional<std::string> load_c_string(const Target& target, uint64_t address, size_t longest) {
  std::string bytes = load_bytes(target, address, longest);
  const size_t end = bytes.find('\0');
  if (end == std::string::npos) return std::nullopt;
  bytes.resize(end);
  return bytes;
}

}  // namespace mortem::inspector
