#include "kernel/crash/text.h"

namespace kernel {

namespace {
constexpr char kCutMark[] = "...\n";
constexpr size_t kCutMarkLength = sizeof kCutMark - 1;

bool is_utf8_tail(char c) {
  return (static_cast<uint8_t>(c) & 0xC0) == 0x80;
}
}  // namespace

void TextWriter::put(char c) {
  if (used_ < kColumns)
    line_[used_++] = c;
  else
    overlong_ = true;
}

TextWriter& TextWriter::text(const char* text) {
  for (; *text != 0; ++text) put(*text);
  return *this;
}

TextWriter& TextWriter::name(const char* bytes, size_t size) {
  for (size_t i = 0; i < size && bytes[i] != 0; ++i) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    put(byte < 0x20 || byte == 0x7F || byte >= 0xF8 ? '?' : bytes[i]);
  }
  return *this;
}

TextWriter& TextWriter::decimal(uint64_t value) {
  char digits[20];
  size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) put(digits[--count]);
  return *this;
}

TextWriter& TextWriter::hex(uint64_t value, unsigned digits) {
  unsigned needed = 1;
  while (needed < 16 && (value >> (4 * needed)) != 0) ++needed;
  if (digits < needed) digits = needed;
  for (unsigned i = digits; i-- > 0;) put(i >= 16 ? '0' : "0123456789abcdef"[(value >> (4 * i)) & 15]);
  return *this;
}

TextWriter& TextWriter::pad_to(size_t column) {
  while (used_ < column && used_ < kColumns) put(' ');
  return *this;
}

void TextWriter::end_line() {
  if (overlong_) {
    used_ = kColumns - 3;
    while (used_ > 0 && is_utf8_tail(line_[used_])) --used_;  // no half of a character
    for (int i = 0; i < 3; ++i) line_[used_++] = '.';
  }
  line_[used_++] = '\n';

  // Room for the mark stays free, so that a cut record says that it is cut.
  if (!cut_) {
    if (recorded_ + used_ + kCutMarkLength <= record_.size()) {
      for (size_t i = 0; i < used_; ++i) record_[recorded_ + i] = line_[i];
      recorded_ += used_;
    } else {
      cut_ = true;
      if (recorded_ + kCutMarkLength <= record_.size())
        for (size_t i = 0; i < kCutMarkLength; ++i) record_[recorded_++] = kCutMark[i];
    }
  }
  ++lines_;
  if (output_ != nullptr) output_(line_, used_);
  used_ = 0;
  overlong_ = false;
}

}  // namespace kernel
