// Reads the little-endian numbers of debug information. A read beyond the end gives 0 and marks the cursor: callers
// look at bad() where it matters, and every loop ends because a bad cursor stands at its end.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace mortem::inspector {

class ByteCursor {
 public:
  ByteCursor() = default;
  ByteCursor(std::span<const uint8_t> bytes, uint64_t offset)
      : start_(bytes.data()), end_(bytes.data() + bytes.size()) {
    seek(offset);
  }
  // The same, ending at `end` (clipped to the bytes that are there).
  ByteCursor(std::span<const uint8_t> bytes, uint64_t offset, uint64_t end)
      : ByteCursor(end < bytes.size() ? bytes.first(end) : bytes, offset) {}

  uint64_t offset() const { return static_cast<uint64_t>(at_ - start_); }
  uint64_t left() const { return static_cast<uint64_t>(end_ - at_); }
  bool at_end() const { return at_ == end_; }
  bool bad() const { return bad_; }

  void seek(uint64_t offset) {
    if (offset > static_cast<uint64_t>(end_ - start_)) return fail();
    at_ = start_ + offset;
  }
  void skip(uint64_t count) {
    if (count > left()) return fail();
    at_ += count;
  }

  uint8_t u8() {
    if (at_ == end_) {
      fail();
      return 0;
    }
    return *at_++;
  }
  uint16_t u16() { return fixed<uint16_t>(); }
  uint32_t u32() { return fixed<uint32_t>(); }
  uint64_t u64() { return fixed<uint64_t>(); }
  template <typename T>
  T fixed() {
    if (left() < sizeof(T)) {
      fail();
      return 0;
    }
    T value;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  uint32_t u24() {
    const uint32_t low = u16();
    return low | uint32_t{u8()} << 16;
  }
  // `size`: 1, 2, 4 or 8; others are read over and give 0.
  uint64_t sized(unsigned size) {
    switch (size) {
      case 1:
        return u8();
      case 2:
        return u16();
      case 4:
        return u32();
      case 8:
        return u64();
      default:
        skip(size);
        return 0;
    }
  }
  uint64_t section_offset(bool is_64_bit) { return is_64_bit ? u64() : u32(); }

  // DWARF 5, section 7.6. Bits beyond the 64th are dropped.
  uint64_t uleb() {
    if (at_ != end_ && *at_ < 0x80) [[likely]]
      return *at_++;
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const uint8_t byte = u8();
      if (shift < 64) value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
  }
  int64_t sleb() {
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
      const uint8_t byte = u8();
      if (shift < 64) value |= uint64_t{byte & 0x7Fu} << shift;
      shift += 7;
      if (byte >= 0x80) continue;
      if ((byte & 0x40) != 0 && shift < 64) value |= ~uint64_t{0} << shift;
      return static_cast<int64_t>(value);
    }
  }
  void skip_leb() {
    while (u8() >= 0x80) {
    }
  }
  std::span<const uint8_t> block(uint64_t length) {
    const uint8_t* const first = at_;
    skip(length);
    return bad_ ? std::span<const uint8_t>() : std::span<const uint8_t>(first, at_);
  }
  // Without its end; a string that nothing ends is none.
  std::string_view text() {
    const void* end = at_ == end_ ? nullptr : std::memchr(at_, 0, left());
    if (end == nullptr) {
      fail();
      return {};
    }
    const auto* found = static_cast<const uint8_t*>(end);
    const std::string_view text(reinterpret_cast<const char*>(at_), static_cast<size_t>(found - at_));
    at_ = found + 1;
    return text;
  }

 private:
  void fail() {
    at_ = end_;
    bad_ = true;
  }

  const uint8_t *start_ = nullptr, *at_ = nullptr, *end_ = nullptr;
  bool bad_ = false;
};

}  // namespace mortem::inspector
