#include "inspector/app/script/screen_text.h"

#include <imgui_internal.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace mortem::inspector::app {
namespace {

struct Glyph {
  float left = 0, right = 0, baseline_top = 0;  // of its cell, not of its ink
  float size = 0;
  unsigned codepoint = 0;
  ImU32 colour = 0;
  size_t order = 0;
};

void append_utf8(unsigned codepoint, std::string& to) {
  if (codepoint < 0x80) {
    to += char(codepoint);
  } else if (codepoint < 0x800) {
    to += char(0xc0 | codepoint >> 6);
    to += char(0x80 | (codepoint & 0x3f));
  } else {
    to += char(0xe0 | codepoint >> 12);
    to += char(0x80 | (codepoint >> 6 & 0x3f));
    to += char(0x80 | (codepoint & 0x3f));
  }
}

// Which glyph a place of the font's texture belongs to.
class GlyphMap {
 public:
  explicit GlyphMap(const ImFontAtlas& atlas) {
    for (const ImFont* font : atlas.Fonts)
      for (const ImFontGlyph& glyph : font->Glyphs)
        if (glyph.Visible) rows_[int(glyph.V0 * kRows)].push_back({&glyph, font});
  }
  struct Found {
    const ImFontGlyph* glyph = nullptr;
    const ImFont* font = nullptr;
  };
  // A quad that is cut at an edge of its clip rectangle holds a part of the glyph's.
  Found at(float u, float v) const {
    for (int row = int(v * kRows); row >= std::max(int(v * kRows) - kTallest, 0); --row) {
      const auto found = rows_.find(row);
      if (found == rows_.end()) continue;
      for (const Found& one : found->second)
        if (u >= one.glyph->U0 && u <= one.glyph->U1 && v >= one.glyph->V0 && v <= one.glyph->V1) return one;
    }
    return {};
  }

 private:
  static constexpr int kRows = 512, kTallest = 64;
  std::unordered_map<int, std::vector<Found>> rows_;
};

// A window with a ground hides what was drawn before it: a menu, a tooltip, the palette.
struct Cover {
  ImVec4 area{};
  size_t order = 0;
};

const ImGuiWindow* window_of(const ImDrawList& list) {
  for (const ImGuiWindow* window : ImGui::GetCurrentContext()->Windows)
    if (window->DrawList == &list) return window;
  return nullptr;
}

class Collector {
 public:
  explicit Collector(const ImDrawData& data) : map_(*ImGui::GetIO().Fonts) {
    for (const ImDrawList* list : data.CmdLists) {
      const ImGuiWindow* window = window_of(*list);
      if (window && !(window->Flags & (ImGuiWindowFlags_ChildWindow | ImGuiWindowFlags_NoBackground))) {
        const ImRect area = window->Rect();
        covers_.push_back({{area.Min.x, area.Min.y, area.Max.x, area.Max.y}, ++order_});
      }
      for (const ImDrawCmd& command : list->CmdBuffer)
        if (!command.UserCallback) read(*list, command);
    }
  }

  std::vector<Glyph> visible() const {
    std::vector<Glyph> shown;
    for (const Glyph& glyph : glyphs_) {
      const float x = (glyph.left + glyph.right) / 2, y = glyph.baseline_top + glyph.size / 2;
      const bool hidden = std::any_of(covers_.begin(), covers_.end(), [&](const Cover& cover) {
        return cover.order > glyph.order && x > cover.area.x && x < cover.area.z && y > cover.area.y &&
               y < cover.area.w;
      });
      if (!hidden) shown.push_back(glyph);
    }
    return shown;
  }

 private:
  void read(const ImDrawList& list, const ImDrawCmd& command) {
    for (unsigned at = 0; at + 6 <= command.ElemCount; at += 3) {
      const ImDrawIdx* index = list.IdxBuffer.Data + command.IdxOffset + at;
      const ImDrawVert* first = list.VtxBuffer.Data + command.VtxOffset + index[0];
      // PrimRect and PrimRectUV: corners 0 1 2, 0 2 3.
      if (index[3] != index[0] || index[4] != index[2] || index[1] != index[0] + 1 || index[2] != index[0] + 2 ||
          index[5] != index[0] + 3)
        continue;
      const ImDrawVert& opposite = first[2];
      quad(*first, opposite, command.ClipRect);
      at += 3;
    }
  }

  void quad(const ImDrawVert& from, const ImDrawVert& to, const ImVec4& clip) {
    ++order_;
    const auto [glyph, font] = map_.at((from.uv.x + to.uv.x) / 2, (from.uv.y + to.uv.y) / 2);
    if (!glyph) return;
    const ImVec2 middle((from.pos.x + to.pos.x) / 2, (from.pos.y + to.pos.y) / 2);
    if (middle.x < clip.x || middle.x > clip.z || middle.y < clip.y || middle.y > clip.w) return;
    const float scale = (to.pos.x - from.pos.x) / std::max((to.uv.x - from.uv.x) / (glyph->U1 - glyph->U0), 1e-6f) /
                        std::max(glyph->X1 - glyph->X0, 1e-3f);
    const float left = from.pos.x - glyph->X0 * scale;
    glyphs_.push_back({left, left + glyph->AdvanceX * scale, from.pos.y - glyph->Y0 * scale, font->FontSize * scale,
                       glyph->Codepoint, from.col, order_});
  }

  GlyphMap map_;
  std::vector<Glyph> glyphs_;
  std::vector<Cover> covers_;
  size_t order_ = 0;
};

}  // namespace

std::vector<ScreenLine> screen_lines(const ImDrawData& data) {
  std::vector<Glyph> glyphs = Collector(data).visible();
  std::sort(glyphs.begin(), glyphs.end(), [](const Glyph& left, const Glyph& right) {
    const int left_row = int(std::lround(left.baseline_top)), right_row = int(std::lround(right.baseline_top));
    return left_row != right_row ? left_row < right_row : left.left < right.left;
  });
  std::vector<ScreenLine> lines;
  float last_top = 0, last_right = 0;
  for (const Glyph& glyph : glyphs) {
    const float advance = std::max(glyph.right - glyph.left, 1.0f);
    const float gap = glyph.left - last_right;
    const bool same_row = !lines.empty() && std::abs(glyph.baseline_top - last_top) < 1.5f;
    if (!same_row || gap > advance * 2.6f || gap < -advance * 0.6f) {
      lines.push_back({});
      lines.back().left = glyph.left;
      lines.back().top = glyph.baseline_top;
      lines.back().bottom = glyph.baseline_top + glyph.size;
    } else {
      for (long blanks = std::lround(gap / advance); blanks > 0; --blanks) {
        lines.back().text += ' ';
        lines.back().positions.push_back(last_right);
        lines.back().colours.push_back(0);
      }
    }
    const size_t before = lines.back().text.size();
    append_utf8(glyph.codepoint, lines.back().text);
    lines.back().positions.resize(lines.back().positions.size() + lines.back().text.size() - before, glyph.left);
    lines.back().colours.resize(lines.back().text.size(), glyph.colour);
    lines.back().right = last_right = glyph.right;
    last_top = glyph.baseline_top;
  }
  return lines;
}

std::vector<FoundText> find_on_screen(const std::vector<ScreenLine>& lines, const std::string& text, ScreenArea area) {
  std::vector<FoundText> found;
  if (text.empty()) return found;
  for (const ScreenLine& line : lines)
    for (size_t at = line.text.find(text); at != std::string::npos; at = line.text.find(text, at + 1)) {
      const size_t behind = at + text.size();
      const float right = behind < line.positions.size() ? line.positions[behind] : line.right;
      const ImVec2 middle((line.positions[at] + right) / 2, (line.top + line.bottom) / 2);
      if (area.holds(middle)) found.push_back({middle, &line});
    }
  return found;
}

std::string text_at(const std::vector<ScreenLine>& lines, ImVec2 point) {
  for (const ScreenLine& line : lines)
    if (point.x >= line.left && point.x < line.right && point.y >= line.top && point.y < line.bottom) return line.text;
  return {};
}

}  // namespace mortem::inspector::app
