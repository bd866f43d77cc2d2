// How the window is divided: a tree of tiles, each with views as tabs. Written to a text file and read from one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "snapshot/result.h"

namespace mortem::inspector::app {

struct Tile {
  enum class Kind : uint8_t {
    Tabs,
    Columns,  // `first` left of `second`
    Rows,     // `first` above `second`
  };
  Kind kind = Kind::Tabs;
  float share = 0.5f;  // of `first`
  std::unique_ptr<Tile> first, second;
  std::vector<std::string> views;  // of Tabs
  size_t active = 0;               // of `views`
};

enum class Side : uint8_t { Middle, Left, Right, Top, Bottom };

// A pointer to a tile of tabs is good until the next call that changes the tree.
class TileTree {
 public:
  TileTree() : root_(std::make_unique<Tile>()) {}
  // One line a node, a split's two parts behind it: "columns 0.25", "rows 0.6", "tabs stack threads*" (* the active one).
  static Result<TileTree> parse(std::string_view text);
  std::string text() const;

  Tile& root() { return *root_; }
  Tile* tile_of(std::string_view view);  // null: it is in none
  bool is_visible(std::string_view view);  // the active tab of its tile
  Tile& first_tabs();
  // Brings the view to the front of its tile; one that is nowhere becomes a tab of `otherwise` (null: the largest tile).
  Tile& open(std::string_view view, Tile* otherwise);
  void keep_only(const std::function<bool(const std::string& view)>& known);  // if any is left
  void close(std::string_view view);  // a tile without views goes away, but not the last
  // Takes the view out of its tile and puts it into `to`: before the tab `before` (npos: behind the last), or into a new
  // tile at one side of it.
  void move(std::string_view view, Tile& to, Side side, size_t before = std::string::npos);
  const std::string& maximised() const { return maximised_; }  // a view; empty: none
  void toggle_maximised(std::string_view view) { maximised_ = maximised_ == view ? std::string() : std::string(view); }

 private:
  std::unique_ptr<Tile> root_;
  std::string maximised_;
};

// The layouts that come with the program.
const char* preset_layout(std::string_view name);  // "crash", "live", "replay", "welcome"; null: none of that name

}  // namespace mortem::inspector::app
