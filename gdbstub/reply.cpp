#include "gdbstub/reply.h"

namespace mortem::gdbstub {

namespace {

constexpr char kDigits[] = "0123456789abcdef";

// '*' too: in a reply it would be taken for a run length.
constexpr bool needs_escape(uint8_t byte) {
  return byte == '$' || byte == '#' || byte == '}' || byte == '*';
}

// The eight digits of four bytes, as they stand in memory: a nibble a byte, then to '0'-'9' and 'a'-'f' at once.
uint64_t digits_of(uint32_t bytes) {
  uint64_t spread = bytes;
  spread = (spread | spread << 16) & 0x0000FFFF0000FFFF;
  spread = (spread | spread << 8) & 0x00FF00FF00FF00FF;
  const uint64_t nibbles = (spread >> 4 & 0x000F000F000F000F) | (spread & 0x000F000F000F000F) << 8;
  const uint64_t letters = (nibbles + 0x0606060606060606) >> 4 & 0x0101010101010101;
  return nibbles + 0x3030303030303030 + letters * ('a' - '0' - 10);
}

// The sum of all bytes modulo 256, eight at a time in lanes of 16 bits.
uint8_t checksum_of(const uint8_t* bytes, size_t size) {
  constexpr uint64_t kEven = 0x00FF00FF00FF00FF;
  uint64_t lanes = 0;
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes, sizeof word);
    lanes = ((lanes & kEven) + (word & kEven) + (word >> 8 & kEven)) & 0x0FFF0FFF0FFF0FFF;
  }
  uint64_t sum = lanes + (lanes >> 32);
  sum += sum >> 16;
  for (; size > 0; --size) sum += *bytes++;
  return static_cast<uint8_t>(sum);
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
  while (bytes.size() >= 4 && room() >= 8) {
    uint32_t four;
    __builtin_memcpy(&four, bytes.data(), sizeof four);
    const uint64_t digits = digits_of(four);
    __builtin_memcpy(buffer_.data() + 1 + length_, &digits, sizeof digits);
    length_ += 8;
    bytes = bytes.subspan(4);
  }
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
  const uint8_t sum = checksum_of(buffer_.data() + 1, length_);
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
