// Draws the tree of tiles with the views in it, and lets people change it: splitters, tabs that can be dragged.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "inspector/app/layout/tiles.h"
#include "inspector/app/script/screen_text.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {

class TileWindow {
 public:
  explicit TileWindow(Workspace& workspace) : workspace_(workspace) {}

  TileTree tiles;
  // Inside ImGui's current window, over the rectangle.
  void draw(ImVec2 from, ImVec2 to);
  void open(const std::string& view);   // and gives it the focus
  View* view(const std::string& name);  // makes it when it is asked for first; null: none of that name
  const std::string& focused() const { return focused_; }
  // Where the view was drawn in the last frame; an empty one: nowhere.
  ScreenArea area_of(const std::string& view) const;
  void forget_views() { views_.clear(); }  // what they remember is of another target
  void focus_next(int step);               // the next tile's view

 private:
  void draw_node(Tile& tile, ImVec2 from, ImVec2 to);
  void draw_split(Tile& tile, ImVec2 from, ImVec2 to);
  void draw_tabs(Tile& tile, ImVec2 from, ImVec2 to);
  void draw_tab(Tile& tile, size_t index, ImVec2 from, ImVec2 to);
  void draw_view(const std::string& name, ImVec2 from, ImVec2 to);
  void accept_drop(Tile& tile, ImVec2 from, ImVec2 to);

  Workspace& workspace_;
  std::map<std::string, std::unique_ptr<View>> views_;
  std::map<std::string, ScreenArea> areas_;
  std::string focused_;
  std::string wanted_focus_;
};

}  // namespace mortem::inspector::app
