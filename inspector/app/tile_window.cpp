#include "inspector/app/tile_window.h"

#include <fmt/format.h>
#include <imgui_internal.h>

#include <algorithm>

#include "inspector/app/ui/elements.h"

namespace mortem::inspector::app {
namespace {

constexpr const char* kDragged = "view";

float gap() { return std::max(2.0f, std::floor(ImGui::GetFontSize() / 5)); }
float tab_height() { return std::floor(ImGui::GetFontSize() * 1.8f); }
float smallest_tile() { return ImGui::GetFontSize() * 5; }

std::string title_of(const std::string& view) {
  const ViewKind* kind = find_view_kind(view);
  return kind ? kind->title : view;
}

Side side_under_mouse(ImVec2 from, ImVec2 to) {
  const ImVec2 mouse = ImGui::GetMousePos();
  const float x = (mouse.x - from.x) / std::max(to.x - from.x, 1.0f), y = (mouse.y - from.y) / std::max(to.y - from.y, 1.0f);
  constexpr float edge = 0.22f;
  if (x < edge && x < y && x < 1 - y) return Side::Left;
  if (x > 1 - edge && 1 - x < y && 1 - x < 1 - y) return Side::Right;
  if (y < edge) return Side::Top;
  if (y > 1 - edge) return Side::Bottom;
  return Side::Middle;
}

ImRect part_of(Side side, ImVec2 from, ImVec2 to) {
  const ImVec2 middle((from.x + to.x) / 2, (from.y + to.y) / 2);
  switch (side) {
    case Side::Left:
      return {from, ImVec2(middle.x, to.y)};
    case Side::Right:
      return {ImVec2(middle.x, from.y), to};
    case Side::Top:
      return {from, ImVec2(to.x, middle.y)};
    case Side::Bottom:
      return {ImVec2(from.x, middle.y), to};
    case Side::Middle:
      break;
  }
  return {from, to};
}

void collect_visible(Tile& tile, std::vector<std::string>& to) {
  if (tile.kind == Tile::Kind::Tabs) {
    if (!tile.views.empty()) to.push_back(tile.views[tile.active]);
    return;
  }
  collect_visible(*tile.first, to);
  collect_visible(*tile.second, to);
}

}  // namespace

void TileWindow::draw(ImVec2 from, ImVec2 to) {
  areas_.clear();
  if (const std::string& view = tiles.maximised(); !view.empty()) {
    if (Tile* tile = tiles.tile_of(view)) draw_tabs(*tile, from, to);
    return;
  }
  draw_node(tiles.root(), from, to);
  wanted_focus_.clear();
}

void TileWindow::open(const std::string& view) {
  Tile* tile = tiles.tile_of(focused_);
  tiles.open(view, tile);
  wanted_focus_ = view;
  focused_ = view;
}

View* TileWindow::view(const std::string& name) {
  if (const auto found = views_.find(name); found != views_.end()) return found->second.get();
  const ViewKind* kind = find_view_kind(name);
  if (!kind) return nullptr;
  return (views_[name] = kind->make()).get();
}

ScreenArea TileWindow::area_of(const std::string& view) const {
  const auto found = areas_.find(view);
  return found == areas_.end() ? ScreenArea{} : found->second;
}

void TileWindow::focus_next(int step) {
  std::vector<std::string> visible;
  collect_visible(tiles.root(), visible);
  if (visible.empty()) return;
  const auto found = std::find(visible.begin(), visible.end(), focused_);
  const size_t at = found == visible.end() ? 0 : size_t(found - visible.begin());
  wanted_focus_ = focused_ = visible[(at + visible.size() + step) % visible.size()];
}

void TileWindow::draw_node(Tile& tile, ImVec2 from, ImVec2 to) {
  if (tile.kind == Tile::Kind::Tabs)
    draw_tabs(tile, from, to);
  else
    draw_split(tile, from, to);
}

void TileWindow::draw_split(Tile& tile, ImVec2 from, ImVec2 to) {
  const bool columns = tile.kind == Tile::Kind::Columns;
  const float whole = (columns ? to.x - from.x : to.y - from.y) - gap();
  float first = std::floor(whole * tile.share), second = whole - first;
  const ImVec2 edge = columns ? ImVec2(from.x + first, from.y) : ImVec2(from.x, from.y + first);
  const ImRect splitter(edge, columns ? ImVec2(edge.x + gap(), to.y) : ImVec2(to.x, edge.y + gap()));
  const ImGuiID id = ImGui::GetID(static_cast<const void*>(tile.first.get()));
  if (ImGui::SplitterBehavior(splitter, id, columns ? ImGuiAxis_X : ImGuiAxis_Y, &first, &second, smallest_tile(),
                              smallest_tile(), 2) &&
      whole > 2 * smallest_tile())
    tile.share = std::clamp(first / whole, 0.02f, 0.98f);
  draw_node(*tile.first, from, columns ? ImVec2(from.x + first, to.y) : ImVec2(to.x, from.y + first));
  draw_node(*tile.second, columns ? ImVec2(from.x + first + gap(), from.y) : ImVec2(from.x, from.y + first + gap()), to);
}

void TileWindow::draw_tabs(Tile& tile, ImVec2 from, ImVec2 to) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  ImGui::PushID(&tile);
  const float below = from.y + tab_height();
  list.AddRectFilled(from, ImVec2(to.x, below), colour(Tint::Window));

  // Tabs that do not fit share the room.
  std::vector<float> widths;
  float sum = 0;
  for (const std::string& view : tile.views) {
    widths.push_back(ImGui::CalcTextSize(title_of(view).c_str()).x + ImGui::GetFontSize() * 1.6f);
    sum += widths.back();
  }
  const float room = to.x - from.x, factor = sum > room ? room / sum : 1;
  float x = from.x;
  for (size_t index = 0; index < tile.views.size(); ++index) {
    const float width = std::floor(widths[index] * factor);
    draw_tab(tile, index, ImVec2(x, from.y), ImVec2(x + width, below));
    x += width;
  }
  if (!tile.views.empty()) draw_view(tile.views[tile.active], ImVec2(from.x, below), to);
  accept_drop(tile, from, to);
  ImGui::PopID();
}

void TileWindow::draw_tab(Tile& tile, size_t index, ImVec2 from, ImVec2 to) {
  const std::string name = tile.views[index], title = title_of(name);
  const bool active = index == tile.active;
  ImGui::SetCursorScreenPos(from);
  ImGui::PushID(name.c_str());
  if (ImGui::InvisibleButton("tab", ImVec2(std::max(to.x - from.x, 1.0f), to.y - from.y),
                             ImGuiButtonFlags_MouseButtonLeft | ImGuiButtonFlags_MouseButtonMiddle)) {
    if (ImGui::IsMouseReleased(ImGuiMouseButton_Middle))
      workspace_.later([this, name] { tiles.close(name); });
    else
      workspace_.later([this, name] { open(name); });
  }
  const bool hovered = ImGui::IsItemHovered();
  if (hovered && ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left))
    workspace_.later([this, name] { tiles.toggle_maximised(name); });
  if (ImGui::BeginPopupContextItem("tab menu")) {
    if (ImGui::MenuItem("Maximise", nullptr, tiles.maximised() == name))
      workspace_.later([this, name] { tiles.toggle_maximised(name); });
    const auto split = [&](const char* what, Side side) {
      if (ImGui::MenuItem(what, nullptr, false, tile.views.size() > 1))
        workspace_.later([this, name, side] {
          if (Tile* from_tile = tiles.tile_of(name)) tiles.move(name, *from_tile, side);
        });
    };
    split("Split right", Side::Right);
    split("Split down", Side::Bottom);
    if (ImGui::MenuItem("Close")) workspace_.later([this, name] { tiles.close(name); });
    ImGui::EndPopup();
  }
  if (ImGui::BeginDragDropSource(ImGuiDragDropFlags_SourceNoDisableHover)) {
    ImGui::SetDragDropPayload(kDragged, name.c_str(), name.size() + 1);
    ImGui::TextUnformatted(title.c_str());
    ImGui::EndDragDropSource();
  }
  if (ImGui::BeginDragDropTarget()) {
    if (const ImGuiPayload* payload = ImGui::AcceptDragDropPayload(kDragged))
      workspace_.later([this, name, dragged = std::string(static_cast<const char*>(payload->Data))] {
        Tile* to_tile = tiles.tile_of(name);
        if (!to_tile || dragged == name) return;
        const auto before = std::find(to_tile->views.begin(), to_tile->views.end(), name) - to_tile->views.begin();
        tiles.move(dragged, *to_tile, Side::Middle, size_t(before));
      });
    ImGui::EndDragDropTarget();
  }
  ImGui::PopID();

  ImDrawList& list = *ImGui::GetWindowDrawList();
  if (active || hovered) list.AddRectFilled(from, to, colour(active ? Tint::Panel : Tint::Raised));
  if (active)
    list.AddRectFilled(from, ImVec2(to.x, from.y + gap() / 2), colour(name == focused_ ? Tint::Accent : Tint::Border));
  const float pad = ImGui::GetFontSize() * 0.8f;
  const ImVec4 clip(from.x, from.y, to.x - 2, to.y);
  list.AddText(nullptr, 0, ImVec2(from.x + pad, from.y + (to.y - from.y - ImGui::GetFontSize()) / 2),
               colour(active ? Tint::Text : Tint::Dim), title.c_str(), nullptr, 0, &clip);
}

void TileWindow::draw_view(const std::string& name, ImVec2 from, ImVec2 to) {
  areas_[name] = {from.x, from.y, to.x, to.y};
  ImGui::SetCursorScreenPos(from);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(10, 6));
  if (wanted_focus_ == name) {
    ImGui::SetNextWindowFocus();
    wanted_focus_.clear();
  }
  ImGui::BeginChild(name.c_str(), ImVec2(to.x - from.x, to.y - from.y), ImGuiChildFlags_AlwaysUseWindowPadding);
  ImGui::PopStyleVar();
  // (Until the wanted one is drawn, the one before has the focus: keys of this frame are not for that.)
  if (wanted_focus_.empty() && ImGui::IsWindowFocused(ImGuiFocusedFlags_ChildWindows)) focused_ = name;
  const ViewKind* kind = find_view_kind(name);
  if (View* shown = view(name)) {
    if (kind->needs_target && !workspace_.session)
      ui::text(Tint::Dim, "Nothing is open");
    else if (kind->needs_target && workspace_.session->phase() == Phase::Failed)
      ui::wrapped(Tint::Error, workspace_.session->problem());
    else
      shown->draw(workspace_);
  } else {
    ui::text(Tint::Dim, fmt::format("There is no view '{}'", name));
  }
  ImGui::EndChild();
}

void TileWindow::accept_drop(Tile& tile, ImVec2 from, ImVec2 to) {
  const ImGuiPayload* dragged = ImGui::GetDragDropPayload();
  if (!dragged || !dragged->IsDataType(kDragged)) return;
  const ImVec2 below(from.x, from.y + tab_height());
  if (!ImGui::BeginDragDropTargetCustom(ImRect(below, to), ImGui::GetID("drop"))) return;
  const Side side = side_under_mouse(below, to);
  const ImRect part = part_of(side, below, to);
  ImGui::GetForegroundDrawList()->AddRectFilled(part.Min, part.Max, faded_colour(Tint::Accent, 0.25f));
  if (const ImGuiPayload* payload = ImGui::AcceptDragDropPayload(kDragged, ImGuiDragDropFlags_AcceptNoDrawDefaultRect)) {
    const std::string target = tile.views[tile.active];
    workspace_.later([this, target, side, name = std::string(static_cast<const char*>(payload->Data))] {
      Tile* to_tile = tiles.tile_of(target);
      if (to_tile && (name != target || side != Side::Middle)) tiles.move(name, *to_tile, side);
    });
  }
  ImGui::EndDragDropTarget();
}

}  // namespace mortem::inspector::app
