#include "tools/sizes.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "tools/output.h"

namespace mortem::tools {

Result<uint64_t> parse_size(const std::string& text, const std::string& what) {
  auto bad = [&] {
    return failure(
        ErrorKind::BadInput,
        fmt::format("{}: '{}' is not a size: write a number with K, M or G, such as 256M", what, printable(text)));
  };
  uint64_t number = 0;
  auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return bad();
  std::string_view unit(rest, size_t(text.data() + text.size() - rest));
  unsigned shift = 0;
  if (!unit.empty()) {
    switch (unit[0] | 0x20) {
      case 'k':
        shift = 10;
        break;
      case 'm':
        shift = 20;
        break;
      case 'g':
        shift = 30;
        break;
      case 't':
        shift = 40;
        break;
      case 'b':
        shift = 0;
        break;
      default:
        return bad();
    }
    unit.remove_prefix(1);
    if (shift && (unit == "iB" || unit == "ib" || unit == "B" || unit == "b")) unit = {};
    if (!unit.empty()) return bad();
  }
  if (shift && number > (UINT64_MAX >> shift)) return bad();
  return number << shift;
}

Result<uint64_t> parse_memory(const std::string& text, const std::string& what) {
  const uint64_t size = TRY(parse_size(text, what));
  constexpr uint64_t kLeast = 12ull << 20, kMost = 64ull << 30, kMebibyte = 1 << 20;
  if (size < kLeast || size > kMost)
    return failure(ErrorKind::BadInput, fmt::format("{}: {} is out of range: from 12M to 64G", what, human_size(size)));
  return (size + kMebibyte - 1) / kMebibyte * kMebibyte;
}

}  // namespace mortem::tools
