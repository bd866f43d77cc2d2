// The packet layer, server to client: a reply is written into one buffer, which it never leaves, and framed there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "gdbstub/packets.h"

namespace mortem::gdbstub {

class Reply {
 public:
  void clear() { length_ = 0, overflowed_ = false; }
  bool empty() const { return length_ == 0; }
  // Something did not fit. The reply is then an error, not a cut-off truth.
  bool overflowed() const { return overflowed_; }
  size_t room() const { return kPacketSize - length_; }

  // Characters that need no escape.
  void text(std::string_view text);
  void hex(uint64_t value);  // shortest form, at least one digit
  void decimal(uint64_t value);
  void hex_bytes(std::span<const uint8_t> bytes);  // two digits each
  void hex_text(std::string_view text);
  // Bytes of any value, escaped (GDB manual, node "Overview", binary data). Returns how many fit.
  size_t binary(std::span<const uint8_t> bytes);

  // Room for raw bytes at the end of the buffer, so that memory is read where it is then encoded: at most `wanted`, and
  // no more than fit behind `reserved` characters that are still to be written. Of binary there is room for one escape
  // in sixteen bytes (chance makes it one in 64); when there are more, binary_fitting says how many can go.
  enum class Encoding : uint8_t { Digits, Binary };
  std::span<uint8_t> stage(size_t wanted, Encoding encoding, size_t reserved);
  // How many of the staged bytes can be sent after `reserved` more characters.
  size_t binary_fitting(std::span<const uint8_t> staged, size_t reserved) const;

  // Adds '$', checksum and all. The whole frame, to be sent as it is.
  std::span<const uint8_t> frame();

  // Text of which a client fetches pieces by offset (qXfer): only what lies in the window is stored, escaped.
  void open_window(uint64_t offset, uint64_t length) {
    window_skip_ = offset;
    window_left_ = length;
    window_more_ = false;
  }
  void window_text(std::string_view text);
  void window_hex(uint64_t value);
  void window_decimal(uint64_t value);
  void window_markup(std::string_view text);  // with XML's five characters replaced
  // Whether text went on after the window.
  bool window_has_more() const { return window_more_; }

  // Puts `character` over the first of the payload.
  void set_first(char character) { buffer_[1] = static_cast<uint8_t>(character); }

 private:
  void put(char character);

  size_t length_ = 0;  // of the payload, which begins at buffer_[1]
  bool overflowed_ = false;
  uint64_t window_skip_ = 0;
  uint64_t window_left_ = 0;
  bool window_more_ = false;
  std::array<uint8_t, kPacketSize + 4> buffer_;
};

// Digits of a number, most significant first, without an allocation.
class NumberText {
 public:
  NumberText(uint64_t value, unsigned base);
  std::string_view view() const { return {digits_ + begin_, sizeof digits_ - begin_}; }

 private:
  char digits_[20];
  size_t begin_ = sizeof digits_;
};

}  // namespace mortem::gdbstub
