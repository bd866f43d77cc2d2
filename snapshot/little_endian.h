// Fields of file formats out of and into bytes. The host is little-endian as all formats here are (checked below).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace mortem::snapshot {

static_assert(std::endian::native == std::endian::little, "the formats are read in place");

// A T copied out of `bytes` at `offset`; nothing if it would end past them.
template <typename T>
std::optional<T> load(std::span<const uint8_t> bytes, size_t offset = 0) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

template <typename T>
std::span<const uint8_t> bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const uint8_t*>(&value), sizeof(T)};
}
template <typename T>
std::span<uint8_t> writable_bytes_of(T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<uint8_t*>(&value), sizeof(T)};
}

}  // namespace mortem::snapshot
