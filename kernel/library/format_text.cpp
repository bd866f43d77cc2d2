#include <cstdint>

#include "kernel/library/log.h"

namespace kernel {

namespace {

class Output {
 public:
  Output(char* buffer, size_t size) : buffer_(buffer), size_(size) {}
  void put(char c) {
    if (length_ + 1 < size_) buffer_[length_] = c;
    ++length_;
  }
  size_t finish() {
    if (size_ > 0) buffer_[length_ < size_ ? length_ : size_ - 1] = 0;
    return length_;
  }

 private:
  char* buffer_;
  size_t size_, length_ = 0;
};

struct Conversion {
  bool zero = false, left = false, alternate = false, plus = false;
  int width = 0, precision = -1;
  int longs = 0;  // l, ll, z, j, t
};

void put_padded(Output& out, const Conversion& how, const char* text, size_t length) {
  int padding = how.width - int(length);
  if (!how.left)
    for (; padding > 0; --padding) out.put(' ');
  for (size_t i = 0; i < length; ++i) out.put(text[i]);
  for (; padding > 0; --padding) out.put(' ');
}

enum class Letters : bool { Lower, Upper };

void put_number(Output& out, const Conversion& how, uint64_t value, unsigned base, Letters letters, bool negative) {
  char digits[96];
  size_t at = sizeof digits;
  do {
    unsigned digit = unsigned(value % base);
    digits[--at] = char(digit < 10 ? '0' + digit : (letters == Letters::Upper ? 'A' : 'a') + digit - 10);
    value /= base;
  } while (value != 0);
  bool has_prefix = how.alternate && base == 16, has_sign = negative || how.plus;
  size_t prefix = (has_prefix ? 2 : 0) + (has_sign ? 1 : 0), wanted = 0;
  if (how.precision > 0)
    wanted = size_t(how.precision);
  else if (how.zero && !how.left && how.width > int(prefix))
    wanted = size_t(how.width) - prefix;
  while (sizeof digits - at < wanted && at > 3) digits[--at] = '0';
  if (has_prefix) digits[--at] = 'x', digits[--at] = '0';
  if (has_sign) digits[--at] = negative ? '-' : '+';
  put_padded(out, how, digits + at, sizeof digits - at);
}

}  // namespace

size_t format_text_list(char* buffer, size_t size, const char* format, va_list arguments) {
  Output out(buffer, size);
  for (; *format != 0; ++format) {
    if (*format != '%') {
      out.put(*format);
      continue;
    }
    Conversion how;
    ++format;
    for (;; ++format) {
      if (*format == '0')
        how.zero = true;
      else if (*format == '-')
        how.left = true;
      else if (*format == '#')
        how.alternate = true;
      else if (*format == '+')
        how.plus = true;
      else
        break;
    }
    auto number = [&]() {
      int value = 0;
      if (*format == '*') {
        ++format;
        return va_arg(arguments, int);
      }
      for (; *format >= '0' && *format <= '9'; ++format) value = value * 10 + (*format - '0');
      return value;
    };
    auto unsigned_argument = [&]() -> uint64_t {
      return how.longs > 0 ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
    };
    how.width = number();
    if (how.width < 0) how.left = true, how.width = -how.width;
    if (*format == '.') ++format, how.precision = number();
    for (; *format == 'l' || *format == 'z' || *format == 'j' || *format == 't'; ++format) ++how.longs;
    while (*format == 'h') ++format;  // promoted to int anyway
    switch (*format) {
      case 'd':
      case 'i': {
        int64_t value = how.longs > 0 ? va_arg(arguments, long) : va_arg(arguments, int);
        put_number(out, how, value < 0 ? 0 - uint64_t(value) : uint64_t(value), 10, Letters::Lower, value < 0);
        break;
      }
      case 'u':
        put_number(out, how, unsigned_argument(), 10, Letters::Lower, false);
        break;
      case 'o':
        put_number(out, how, unsigned_argument(), 8, Letters::Lower, false);
        break;
      case 'x':
        put_number(out, how, unsigned_argument(), 16, Letters::Lower, false);
        break;
      case 'X':
        put_number(out, how, unsigned_argument(), 16, Letters::Upper, false);
        break;
      case 'p':
        how.alternate = true;
        put_number(out, how, reinterpret_cast<uint64_t>(va_arg(arguments, void*)), 16, Letters::Lower, false);
        break;
      case 'c': {
        char c = char(va_arg(arguments, int));
        put_padded(out, how, &c, 1);
        break;
      }
      case 's': {
        const char* text = va_arg(arguments, const char*);
        if (text == nullptr) text = "(null)";
        size_t length = 0;
        while ((how.precision < 0 || length < size_t(how.precision)) && text[length] != 0) ++length;
        put_padded(out, how, text, length);
        break;
      }
      case '%':
        out.put('%');
        break;
      case 0:
        return out.finish();
      default:
        out.put('%'), out.put(*format);
    }
  }
  return out.finish();
}

size_t format_text(char* buffer, size_t size, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t length = format_text_list(buffer, size, format, arguments);
  va_end(arguments);
  return length;
}

}  // namespace kernel
