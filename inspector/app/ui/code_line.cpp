#include "inspector/app/ui/code_line.h"

#include <fmt/format.h>

#include <cctype>

namespace mortem::inspector::app::ui {
namespace {

std::string without_tabs(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '\t')
      out.append(8 - out.size() % 8, ' ');
    else if (static_cast<unsigned char>(letter) >= 0x20)
      out += letter;
    else
      out += '.';
  }
  return out;
}

// The whole of a chain of members whose last name is text[from, to).
std::string with_owner(const std::string& text, size_t from, size_t to) {
  const auto is_name = [](char letter) { return std::isalnum(static_cast<unsigned char>(letter)) || letter == '_'; };
  size_t begin = from;
  for (;;) {
    size_t at = begin;
    if (at >= 2 && text[at - 1] == '>' && text[at - 2] == '-')
      at -= 2;
    else if (at >= 1 && text[at - 1] == '.')
      at -= 1;
    else
      break;
    size_t owner = at;
    while (owner > 0 && is_name(text[owner - 1])) --owner;
    if (owner == at) break;
    begin = owner;
  }
  return text.substr(begin, to - begin);
}

}  // namespace

std::string code_line(const CodeLine& line, OpenText& open) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float height = line_height(), wide = glyph_width();
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float left = ImGui::GetWindowPos().x, right = left + ImGui::GetWindowSize().x;
  if (line.mark != LineMark::None)
    list.AddRectFilled(ImVec2(left, at.y), ImVec2(right, at.y + height),
                       colour(line.mark == LineMark::Current ? Tint::CurrentLine : Tint::OtherLine));
  const float y = at.y + (height - ImGui::GetFontSize()) / 2;
  float x = at.x + line.indent;
  if (line.mark != LineMark::None) {
    const float middle = at.y + height / 2, size = ImGui::GetFontSize() * 0.28f;
    list.AddTriangleFilled(ImVec2(x, middle - size), ImVec2(x + size * 1.4f, middle), ImVec2(x, middle + size),
                           colour(line.mark == LineMark::Current ? Tint::Warning : Tint::Accent));
  }
  x += wide * 1.2f;
  if (line.number != 0) {
    const std::string number = fmt::format("{:>{}}", line.number, line.digits);
    list.AddText(ImVec2(x, y), colour(line.mark == LineMark::None ? Tint::Faint : Tint::Text), number.c_str());
    x += wide * float(line.digits + 2);
  }
  const std::string text = without_tabs(line.text);
  const ImVec2 mouse = ImGui::GetMousePos();
  const bool under_mouse = mouse.y >= at.y && mouse.y < at.y + height && ImGui::IsWindowHovered();
  std::string name;
  for (const Span& span : highlight(line.language, text, open)) {
    const std::string_view part = std::string_view(text).substr(span.from, span.to - span.from);
    const float part_width = ImGui::CalcTextSize(part.data(), part.data() + part.size()).x;
    list.AddText(ImVec2(x, y), colour(span.tint), part.data(), part.data() + part.size());
    if (span.is_name && under_mouse && mouse.x >= x && mouse.x < x + part_width) name = with_owner(text, span.from, span.to);
    x += part_width;
  }
  ImGui::Dummy(ImVec2(x - at.x, height - ImGui::GetStyle().ItemSpacing.y));
  return name;
}

}  // namespace mortem::inspector::app::ui
