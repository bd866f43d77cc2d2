// How characters and texts are shown: in UTF-8 and quoted, with C's escapes; wide ones with C's prefixes
// (C11, 6.4.4.4).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "inspector/values/type.h"

namespace mortem::inspector {

struct CharacterKind {
  size_t size = 1;          // bytes: 1, 2 (UTF-16) or 4 (UTF-32)
  const char* prefix = "";  // L, u, U
};

// Nothing: the type is none of a character.
std::optional<CharacterKind> character_kind(const Type* type);

std::string quoted_text(std::string_view bytes, char quote);
// `bytes`: of whole characters.
std::string quoted_text(std::span<const uint8_t> bytes, const CharacterKind& kind);
std::string character_text(uint64_t character, bool is_signed, const CharacterKind& kind);  // 97 'a'

}  // namespace mortem::inspector
