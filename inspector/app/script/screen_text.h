// The text of a frame as it is on the screen: read back from the triangles that ImGui gives to the graphics card, so
// that it is what a person would read, whoever has drawn it, and nothing that is clipped or behind something.
#pragma once

#include <imgui.h>

#include <string>
#include <vector>

namespace mortem::inspector::app {

struct ScreenLine {
  std::string text;              // UTF-8; blanks where a glyph's width was left free
  std::vector<float> positions;  // left edge of each byte's glyph
  std::vector<ImU32> colours;    // of each byte's glyph
  float left = 0, right = 0, top = 0, bottom = 0;
};

// Runs of glyphs on one line without a wide gap, from the top, then from the left.
std::vector<ScreenLine> screen_lines(const ImDrawData& data);

struct FoundText {
  ImVec2 middle{};
  const ScreenLine* line = nullptr;
};
// All places of a text. `area`: only inside; an empty rectangle: everywhere.
struct ScreenArea {
  float left = 0, top = 0, right = 0, bottom = 0;
  bool everywhere() const { return right <= left; }
  bool holds(ImVec2 point) const {
    return everywhere() || (point.x >= left && point.x < right && point.y >= top && point.y < bottom);
  }
};
std::vector<FoundText> find_on_screen(const std::vector<ScreenLine>& lines, const std::string& text, ScreenArea area);
std::string text_at(const std::vector<ScreenLine>& lines, ImVec2 point);  // of the line under it; empty: none

}  // namespace mortem::inspector::app
