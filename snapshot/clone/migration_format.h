// The numbers of QEMU's migration stream. All integers in it are big-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mortem::snapshot::migration {

inline constexpr uint32_t kMagic = 0x5145564D, kVersion = 3;  // "QEVM"

enum class Section : uint8_t {
  End = 0,
  Start = 1,
  Part = 2,
  LastPart = 3,
  Full = 4,
  Subsection = 5,
  Description = 6,
  Configuration = 7,
  Command = 8,
  Footer = 0x7E,
};

inline constexpr uint64_t kPage = 4096;
// In the low bits of a page's offset.
inline constexpr uint64_t kZeroPage = 0x02, kMemorySize = 0x04, kWholePage = 0x08, kEndOfPart = 0x10, kSameBlock = 0x20;

inline uint64_t big_endian(std::span<const uint8_t> bytes) {
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

inline void put_big_endian(std::string& to, uint64_t value, size_t size) {
  for (size_t index = size; index-- > 0;) to += static_cast<char>(value >> (8 * index));
}
inline void put_name(std::string& to, const std::string& name) {
  to += static_cast<char>(name.size());
  to += name;
}

}  // namespace mortem::snapshot::migration
