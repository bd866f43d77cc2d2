// The colours of source text: words, strings, numbers and comments of C, C++, Rust and Go. A line at a time, so that a
// file of any length costs what is on the screen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inspector/app/theme/theme.h"

namespace mortem::inspector::app {

enum class Language : uint8_t { Other, C, Rust, Go };
Language language_of(std::string_view file);

// What is open at a line's end and goes on in the next.
enum class OpenText : uint8_t { None, Comment, RawString };

struct Span {
  size_t from = 0, to = 0;  // bytes of the line
  Tint tint = Tint::Text;
  bool is_name = false;  // a word that may be a variable
};

// All of the line, in order.
std::vector<Span> highlight(Language language, std::string_view line, OpenText& open);

}  // namespace mortem::inspector::app
