#include "inspector/symbols/rust_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <vector>

namespace mortem::inspector {
namespace {

bool is_hexadecimal(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char one) { return (one >= '0' && one <= '9') || (one >= 'a' && one <= 'f'); });
}

void add_utf8(std::string& text, uint32_t code) {
  const unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr uint8_t kFirst[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kFirst[more] | code >> (6 * more));
  for (unsigned left = more; left-- > 0;) text += static_cast<char>(0x80 | (code >> (6 * left) & 0x3F));
}

// What stands between two `$`; nothing: not such a code.
std::optional<std::string> escape(std::string_view code) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kCodes = {
      {{"SP", "@"}, {"BP", "*"}, {"RF", "&"}, {"LT", "<"}, {"GT", ">"}, {"LP", "("}, {"RP", ")"}, {"C", ","}}};
  for (const auto& [name, text] : kCodes)
    if (code == name) return std::string(text);
  if (code.size() < 2 || code.size() > 7 || code[0] != 'u' || !is_hexadecimal(code.substr(1))) return std::nullopt;
  uint32_t value = 0;
  std::from_chars(code.data() + 1, code.data() + code.size(), value, 16);
  if (value < 0x20 || value == 0x7F || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return std::nullopt;
  std::string text;
  add_utf8(text, value);
  return text;
}

std::string identifier(std::string_view part) {
  std::string text;
  if (part.starts_with("_$")) part.remove_prefix(1);
  while (!part.empty()) {
    if (part.starts_with("..")) {
      text += "::";
      part.remove_prefix(2);
      continue;
    }
    const size_t end = part[0] == '$' ? part.find('$', 1) : std::string_view::npos;
    const auto code = end != std::string_view::npos ? escape(part.substr(1, end - 1)) : std::nullopt;
    text += code ? *code : std::string(1, part[0]);
    part.remove_prefix(code ? end + 1 : 1);
  }
  return text;
}

}  // namespace

std::optional<std::string> demangle_old_rust(std::string_view name) {
  if (!name.starts_with("_ZN")) return std::nullopt;
  name.remove_prefix(3);
  std::vector<std::string_view> parts;
  while (!name.empty() && name[0] != 'E') {
    size_t length = 0;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), length);
    if (failed != std::errc() || length == 0) return std::nullopt;
    name.remove_prefix(static_cast<size_t>(end - name.data()));
    if (length > name.size()) return std::nullopt;
    parts.push_back(name.substr(0, length));
    name.remove_prefix(length);
  }
  // Behind the E stands what LLVM adds: ".llvm.1234".
  if (name.empty() || (name.size() > 1 && name[1] != '.') || parts.size() < 2) return std::nullopt;
  const std::string_view hash = parts.back();
  if (hash.size() != 17 || hash[0] != 'h' || !is_hexadecimal(hash.substr(1))) return std::nullopt;
  parts.pop_back();
  std::string text;
  for (const std::string_view part : parts) text += (text.empty() ? "" : "::") + identifier(part);
  return text;
}

}  // namespace mortem::inspector
