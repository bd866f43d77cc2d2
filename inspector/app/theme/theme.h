// Colours, fonts and distances. A view names what a colour means, never the colour.
#pragma once

#include <imgui.h>

#include <cstdint>

namespace mortem::inspector::app {

enum class Tint : uint8_t {
  Text,
  Dim,      // less important
  Faint,    // hardly there: zero bytes, unmapped memory
  Accent,   // what can be followed; the current one
  Good,
  Warning,
  Error,
  Changed,  // since the last stop
  // Of code.
  Keyword,
  Type,
  String,
  Number,
  Comment,
  Function,
  Preprocessor,
  Register,
  Address,
  // Backgrounds.
  Window,
  Panel,
  Raised,
  Border,
  CurrentLine,   // of the innermost frame
  OtherLine,     // of another frame of the stack
  Selection,
  Count,
};

enum class Brightness : uint8_t { Dark, Light };

// Of the whole program: ImGui's style is that, too.
void set_brightness(Brightness brightness);
Brightness brightness();
ImU32 colour(Tint tint);
ImVec4 colour_vector(Tint tint);
ImU32 faded_colour(Tint tint, float opacity);

// Fonts of this height in pixels, and distances to match; the frontend has to be told (Frontend::forget_fonts).
void build_fonts(float pixels);
ImFont* bold_font();
float glyph_width();  // all are as wide
float line_height();  // of text in lists and code

inline constexpr float kFontPixels = 15;

}  // namespace mortem::inspector::app
