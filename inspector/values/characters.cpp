#include "inspector/values/characters.h"

#include <fmt/format.h>

#include <cstring>

namespace mortem::inspector {
namespace {

constexpr uint32_t kLastCodePoint = 0x10FFFF;

bool is_high_surrogate(uint32_t unit) {
  return unit >= 0xD800 && unit < 0xDC00;
}
bool is_low_surrogate(uint32_t unit) {
  return unit >= 0xDC00 && unit < 0xE000;
}

uint32_t unit_at(std::span<const uint8_t> bytes, size_t index, size_t size) {
  uint32_t unit = 0;
  std::memcpy(&unit, bytes.data() + index * size, size);
  return unit;
}

// RFC 3629, section 3; empty: no character has this number.
std::string utf8(uint32_t character) {
  const auto byte = [](uint32_t bits) { return static_cast<char>(bits); };
  const auto rest = [&](unsigned shift) { return byte(0x80 | (character >> shift & 0x3F)); };
  if (character > kLastCodePoint || is_high_surrogate(character) || is_low_surrogate(character)) return "";
  if (character < 0x80) return {byte(character)};
  if (character < 0x800) return {byte(0xC0 | character >> 6), rest(0)};
  if (character < 0x10000) return {byte(0xE0 | character >> 12), rest(6), rest(0)};
  return {byte(0xF0 | character >> 18), rest(12), rest(6), rest(0)};
}

void append_escaped(std::string& text, char one, char quote) {
  if (one == quote || one == '\\')
    text += std::string("\\") + one;
  else if (one == '\n')
    text += "\\n";
  else if (one == '\t')
    text += "\\t";
  else if (one == '\r')
    text += "\\r";
  else if (static_cast<unsigned char>(one) < 0x20 || one == 0x7F)
    text += fmt::format("\\{:03o}", static_cast<unsigned char>(one));
  else
    text += one;
}

}  // namespace

std::optional<CharacterKind> character_kind(const Type* type) {
  const CharacterKind wide{4, "L"}, utf16{2, "u"}, utf32{4, "U"};
  for (int depth = 0; type && depth < 32; ++depth) {
    const bool is_c = type->language == Language::C || type->language == Language::Cpp;
    if (is_c && type->size == 4 && type->name == "wchar_t") return wide;
    if (is_c && type->size == 1 && type->name == "char8_t") return CharacterKind{1, ""};
    if (is_c && type->size == 2 && type->name == "char16_t") return utf16;
    if (is_c && type->size == 4 && type->name == "char32_t") return utf32;
    if (type->kind != TypeKind::Typedef && type->kind != TypeKind::Qualified) break;
    type = type->target();
  }
  if (!type || !type->is_character()) return std::nullopt;
  if (type->size == 1 || type->size == 4) return CharacterKind{type->size, ""};
  return std::nullopt;
}

std::string quoted_text(std::string_view bytes, char quote) {
  std::string text(1, quote);
  for (const char one : bytes) append_escaped(text, one, quote);
  return text + quote;
}

std::string quoted_text(std::span<const uint8_t> bytes, const CharacterKind& kind) {
  if (kind.size == 1) return quoted_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, '"');
  std::string text = std::string(kind.prefix) + '"';
  const size_t count = bytes.size() / kind.size;
  for (size_t index = 0; index < count; ++index) {
    uint32_t character = unit_at(bytes, index, kind.size);
    if (kind.size == 2 && is_high_surrogate(character) && index + 1 < count)
      if (const uint32_t low = unit_at(bytes, index + 1, kind.size); is_low_surrogate(low)) {
        character = 0x10000 + ((character & 0x3FF) << 10 | (low & 0x3FF));
        ++index;
      }
    if (character < 0x80)
      append_escaped(text, static_cast<char>(character), '"');
    else if (const std::string encoded = utf8(character); !encoded.empty())
      text += encoded;
    else
      text += fmt::format("\\x{:x}", character);
  }
  return text + '"';
}

std::string character_text(uint64_t character, bool is_signed, const CharacterKind& kind) {
  const std::string number = is_signed ? std::to_string(static_cast<int64_t>(character)) : std::to_string(character);
  if (character < 0x80)
    return number + " " + kind.prefix + quoted_text(std::string(1, static_cast<char>(character)), '\'');
  // Above them stand the control characters of ISO 8859-1.
  const std::string encoded =
      kind.size > 1 && character >= 0xA0 && character <= kLastCodePoint ? utf8(static_cast<uint32_t>(character)) : "";
  return encoded.empty() ? number : number + " " + kind.prefix + "'" + encoded + "'";
}

}  // namespace mortem::inspector
