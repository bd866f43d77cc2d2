#include "inspector/app/ui/elements.h"

#include <fmt/format.h>
#include <imgui_internal.h>
#include <imgui_stdlib.h>

#include <cctype>

namespace mortem::inspector::app::ui {
namespace {

char lower(char letter) {
  return char(std::tolower(static_cast<unsigned char>(letter)));
}

bool contains_word(std::string_view text, std::string_view word) {
  for (size_t at = 0; at + word.size() <= text.size(); ++at) {
    size_t same = 0;
    while (same < word.size() && lower(text[at + same]) == lower(word[same])) ++same;
    if (same == word.size()) return true;
  }
  return false;
}

}  // namespace

void text(Tint tint, std::string_view text) {
  ImGui::PushStyleColor(ImGuiCol_Text, colour(tint));
  ImGui::TextUnformatted(text.data(), text.data() + text.size());
  ImGui::PopStyleColor();
}

void bold(Tint tint, std::string_view text) {
  ImGui::PushFont(bold_font());
  ui::text(tint, text);
  ImGui::PopFont();
}

void wrapped(Tint tint, std::string_view text) {
  ImGui::PushTextWrapPos(0);
  ui::text(tint, text);
  ImGui::PopTextWrapPos();
}

void heading(std::string_view text) {
  ImGui::Dummy(ImVec2(0, ImGui::GetFontSize() * 0.25f));
  bold(Tint::Dim, text);
}

bool link(std::string_view id, std::string_view text, Tint tint) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 size = ImGui::CalcTextSize(text.data(), text.data() + text.size());
  ImGui::PushID(id.data(), id.data() + id.size());
  const bool clicked = ImGui::InvisibleButton("link", ImVec2(std::max(size.x, 1.0f), size.y));
  ImGui::PopID();
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddText(at, colour(tint), text.data(), text.data() + text.size());
  if (ImGui::IsItemHovered()) {
    ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
    list.AddLine(ImVec2(at.x, at.y + size.y), ImVec2(at.x + size.x, at.y + size.y), colour(tint));
  }
  return clicked;
}

void address(Workspace& workspace, std::string_view id, uint64_t address) {
  const std::string text = hex(address);
  if (link(id, text, Tint::Address))
    workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = address, .file = {}, .line = 0});
  if (begin_context_menu(id, text)) {
    address_menu(workspace, address);
    end_context_menu();
  }
}

void address_menu(Workspace& workspace, uint64_t address) {
  const auto entry = [&](const char* title, const char* view) {
    if (ImGui::MenuItem(title))
      workspace.go({.view = view, .thread = 0, .frame = 0, .address = address, .file = {}, .line = 0});
  };
  entry("Show memory", "memory");
  entry("Show code", "disassembly");
  entry("Show in address space map", "map");
  if (ImGui::MenuItem("Find pointers to it")) workspace.command("search.pointers", hex(address));
}

bool begin_context_menu(std::string_view id, const std::string& copied) {
  const std::string name = fmt::format("{}##menu", id);
  if (!ImGui::BeginPopupContextItem(name.c_str())) return false;
  if (ImGui::MenuItem("Copy")) ImGui::SetClipboardText(copied.c_str());
  return true;
}

void end_context_menu() {
  ImGui::EndPopup();
}

bool row(std::string_view id, bool selected) {
  const float height = line_height();
  ImGui::PushID(id.data(), id.data() + id.size());
  const float x = ImGui::GetCursorPosX();
  const bool clicked =
      ImGui::Selectable("##row", selected, ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowDoubleClick,
                        ImVec2(0, height - ImGui::GetStyle().ItemSpacing.y));
  ImGui::SameLine(x);
  ImGui::PopID();
  return clicked;
}

bool skip_row() {
  if (ImGui::IsRectVisible(ImVec2(1, line_height()))) return false;
  ImGui::Dummy(ImVec2(0, line_height() - ImGui::GetStyle().ItemSpacing.y));
  return true;
}

void end_row(float y) {
  ImGui::SetCursorPosY(y + line_height() - ImGui::GetStyle().ItemSpacing.y);
  ImGui::Dummy(ImVec2(0, 0));
}

bool filter(const char* id, const char* hint, std::string& text, bool& focus) {
  ImGui::SetNextItemWidth(-1);
  // Not SetKeyboardFocusHere: it loses to a list below that was clicked last.
  if (std::exchange(focus, false)) {
    ImGui::FocusWindow(ImGui::GetCurrentWindow());
    ImGui::ActivateItemByID(ImGui::GetID(id));
  }
  return ImGui::InputTextWithHint(id, hint, &text);
}

bool fits_filter(std::string_view filter, std::string_view text) {
  while (!filter.empty()) {
    const size_t blank = std::min(filter.find(' '), filter.size());
    if (!contains_word(text, filter.substr(0, blank))) return false;
    filter.remove_prefix(std::min(blank + 1, filter.size()));
  }
  return true;
}

void nothing(const std::string& problem, bool pending, const char* otherwise) {
  if (!problem.empty())
    wrapped(Tint::Warning, problem);
  else
    wrapped(Tint::Dim, pending ? "…" : otherwise);
}

void tooltip(std::string_view text) {
  if (!ImGui::IsItemHovered(ImGuiHoveredFlags_ForTooltip | ImGuiHoveredFlags_AllowWhenDisabled) || text.empty()) return;
  if (!ImGui::BeginTooltip()) return;
  ImGui::PushTextWrapPos(ImGui::GetFontSize() * 40);
  ImGui::TextUnformatted(text.data(), text.data() + text.size());
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

std::string hex(uint64_t value) {
  return fmt::format("{:#x}", value);
}

std::string number(const Workspace& workspace, uint64_t value) {
  return workspace.hexadecimal ? hex(value) : std::to_string(value);
}

std::string file_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string short_path(std::string_view path, size_t most) {
  if (path.size() <= most) return std::string(path);
  const size_t slash = path.find('/', path.size() - most);
  return fmt::format("…{}", slash == std::string_view::npos ? path.substr(path.size() - most) : path.substr(slash));
}

std::string size_text(uint64_t bytes) {
  static constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double amount = double(bytes);
  size_t unit = 0;
  while (amount >= 1024 && unit + 1 < std::size(units)) {
    amount /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", amount, units[unit]);
}

}  // namespace mortem::inspector::app::ui
