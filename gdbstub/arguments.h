// Reads the arguments of a packet from left to right. Each reader says whether it found what it was asked for; after a
// failure the rest is as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mortem::gdbstub {

// Value of a hexadecimal digit, or -1.
constexpr int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

inline constexpr uint32_t kAllOfThem = ~0u;  // "-1" in a thread id

// A thread id of the protocol (GDB manual, node "Packets", thread-id). 0: any, kAllOfThem: all.
struct ThreadSelector {
  uint32_t process = 0;  // 0: none was given
  uint32_t thread = 0;
};

class Arguments {
 public:
  explicit Arguments(std::string_view text) : rest_(text) {}

  std::string_view rest() const { return rest_; }
  bool done() const { return rest_.empty(); }
  void skip(size_t count) { rest_.remove_prefix(count < rest_.size() ? count : rest_.size()); }

  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  // One to sixteen significant digits.
  bool hex(uint64_t& value) {
    size_t count = 0;
    uint64_t result = 0;
    for (; count < rest_.size() && hex_digit(rest_[count]) >= 0; ++count) {
      if (result >> 60 != 0) return false;
      result = result << 4 | static_cast<uint64_t>(hex_digit(rest_[count]));
    }
    if (count == 0) return false;
    value = result;
    skip(count);
    return true;
  }

  // `separator` and then a number, as in "m ADDRESS,LENGTH".
  bool hex_after(std::string_view separator, uint64_t& value) {
    const std::string_view before = rest_;
    if (take(separator) && hex(value)) return true;
    rest_ = before;
    return false;
  }

  // Fills `bytes` from two digits each.
  bool hex_bytes(std::span<uint8_t> bytes) {
    if (rest_.size() / 2 < bytes.size()) return false;
    for (size_t index = 0; index < bytes.size(); ++index) {
      const int high = hex_digit(rest_[2 * index]), low = hex_digit(rest_[2 * index + 1]);
      if (high < 0 || low < 0) return false;
      bytes[index] = static_cast<uint8_t>(high << 4 | low);
    }
    skip(2 * bytes.size());
    return true;
  }

  // Text written as hexadecimal digits, up to the first character that is none. False: too long for `text`, or an odd
  // number of digits.
  bool hex_text(std::span<char> text, std::string_view& result) {
    size_t digits = 0;
    while (digits < rest_.size() && hex_digit(rest_[digits]) >= 0) ++digits;
    if (digits % 2 != 0 || digits / 2 > text.size()) return false;
    for (size_t index = 0; index < digits / 2; ++index)
      text[index] = static_cast<char>(hex_digit(rest_[2 * index]) << 4 | hex_digit(rest_[2 * index + 1]));
    result = {text.data(), digits / 2};
    skip(digits);
    return true;
  }

  bool thread(ThreadSelector& selector) {
    const std::string_view before = rest_;
    ThreadSelector result;
    if (take("p")) {
      if (!id(result.process)) return rest_ = before, false;
      if (!take("."))
        result.thread = kAllOfThem;  // "pPID" is all threads of the process
      else if (!id(result.thread))
        return rest_ = before, false;
    } else if (!id(result.thread)) {
      return rest_ = before, false;
    }
    selector = result;
    return true;
  }

 private:
  bool id(uint32_t& value) {
    uint64_t number = 0;
    if (take("-1")) {
      value = kAllOfThem;
      return true;
    }
    const std::string_view before = rest_;
    if (!hex(number) || number >= kAllOfThem) return rest_ = before, false;
    value = static_cast<uint32_t>(number);
    return true;
  }

  std::string_view rest_;
};

}  // namespace mortem::gdbstub
