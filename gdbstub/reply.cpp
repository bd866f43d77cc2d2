#include "gdbstub/reply.h"

namespace mortem::gdbstub {

namespace {

constexpr char kDigits[] = "0123456789abcdef";

// '*' too: in a reply it would be taken for a run length.
constexpr bool needs_escape(uint8_t byte) {
  return byte == '$' || byte == '#' || byte == '}' || byte == '*';
}

}  // namespace

NumberText::NumberText(uint64_t value, unsigned base) {
  do {
    digits_[--begin_] = kDigits[value % base];
    value /= base;
  } while (value != 0);
}

void Reply::put(char character) {
  if (length_ == kPacketSize) {
    overflowed_ = true;
    return;
  }
  buffer_[1 + length_++] = static_cast<uint8_t>(character);
}

void Reply::text(std::string_view text) {
  for (const char character : text) put(character);
}

void Reply::hex(uint64_t value) {
  text(NumberText(value, 16).view());
}

void Reply::decimal(uint64_t value) {
  text(NumberText(value, 10).view());
}

// Each byte is read before its digits are written: staged bytes lie at the end of this same buffer.
void Reply::hex_bytes(std::span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) {
    const uint8_t value = byte;
    put(kDigits[value >> 4]);
    put(kDigits[value & 15]);
  }
}

void Reply::hex_text(std::string_view text) {
  hex_bytes({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

size_t Reply::binary(std::span<const uint8_t> bytes) {
  size_t count = 0;
  for (const uint8_t& byte : bytes) {
    const uint8_t value = byte;
    const size_t needed = needs_escape(value) ? 2 : 1;
    if (room() < needed) break;
    if (needed == 2) put('}');
    put(static_cast<char>(needed == 2 ? value ^ 0x20 : value));
    ++count;
  }
  return count;
}

std::span<uint8_t> Reply::stage(size_t wanted, Encoding encoding, size_t reserved) {
  const size_t left = room() > reserved ? room() - reserved : 0;
  const size_t fitting = encoding == Encoding::Digits ? left / 2 : left - left / 16;
  const size_t count = wanted < fitting ? wanted : fitting;
  return {buffer_.data() + 1 + kPacketSize - count, count};
}

// Writing begins before the staged bytes and gets ahead by one with each escape; it must not catch up with reading.
// stage has left room for some escapes, so the answer is never zero.
size_t Reply::binary_fitting(std::span<const uint8_t> staged, size_t reserved) const {
  const size_t begin = static_cast<size_t>(staged.data() - buffer_.data()) - 1;
  const size_t ahead = begin > length_ + reserved ? begin - length_ - reserved : 0;
  size_t escapes = 0, count = 0;
  for (; count < staged.size(); ++count) {
    if (needs_escape(staged[count]) && ++escapes > ahead) break;
  }
  return count;
}

std::span<const uint8_t> Reply::frame() {
  uint8_t sum = 0;
  for (size_t index = 1; index <= length_; ++index) sum = static_cast<uint8_t>(sum + buffer_[index]);
  buffer_[0] = '$';
  buffer_[1 + length_] = '#';
  buffer_[2 + length_] = static_cast<uint8_t>(kDigits[sum >> 4]);
  buffer_[3 + length_] = static_cast<uint8_t>(kDigits[sum & 15]);
  return {buffer_.data(), length_ + 4};
}

void Reply::window_text(std::string_view text) {
  for (const char character : text) {
    if (window_skip_ > 0) {
      --window_skip_;
      continue;
    }
    const uint8_t byte = static_cast<uint8_t>(character);
    if (window_more_ || window_left_ == 0 || binary({&byte, 1}) == 0) {
      window_more_ = true;  // and nothing after it: a piece has no holes
      return;
    }
    --window_left_;
  }
}

void Reply::window_hex(uint64_t value) {
  window_text(NumberText(value, 16).view());
}

void Reply::window_decimal(uint64_t value) {
  window_text(NumberText(value, 10).view());
}

void Reply::window_markup(std::string_view text) {
  for (const char& character : text) {
    switch (character) {
      case '<':
        window_text("&lt;");
        break;
      case '>':
        window_text("&gt;");
        break;
      case '&':
        window_text("&amp;");
        break;
      case '"':
        window_text("&quot;");
        break;
      case '\'':
        window_text("&apos;");
        break;
      default:
        // XML 1.0, 2.2: no other control characters, not even as references.
        if (static_cast<uint8_t>(character) < 0x20 || character == 0x7F)
          window_text("?");
        else
          window_text({&character, 1});
    }
  }
}

}  // namespace mortem::gdbstub
