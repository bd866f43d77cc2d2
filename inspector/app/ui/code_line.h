// A line of source text as it is drawn: its number, a mark, its colours.
#pragma once

#include <string>
#include <string_view>

#include "inspector/app/ui/highlight.h"
#include "inspector/app/workspace.h"

namespace mortem::inspector::app::ui {

enum class LineMark : uint8_t { None, Current, OtherFrame };

struct CodeLine {
  std::string_view text;
  uint32_t number = 0;  // 0: none is written
  unsigned digits = 4;
  LineMark mark = LineMark::None;
  Language language = Language::C;
  float indent = 0;  // pixels
};

// Draws at the cursor and moves it one line down. Tabs are eight wide. Returns the name under the mouse, if that may be
// a variable, with what it is a member of: "conn->buffer.length"; empty: none.
std::string code_line(const CodeLine& line, OpenText& open);

}  // namespace mortem::inspector::app::ui
