#include "inspector/app/layout/tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mortem::inspector::app {
namespace {

constexpr unsigned kDeepest = 24;  // a file of others

std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

class LayoutParser {
 public:
  explicit LayoutParser(std::string_view text) : rest_(text) {}

  Result<std::unique_ptr<Tile>> tile(unsigned depth) {
    std::string_view line = next_line();
    if (depth > kDeepest) return fail("too many parts inside one another");
    auto tile = std::make_unique<Tile>();
    const std::string_view kind = take_word(line);
    if (kind == "tabs") {
      for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
        if (word.ends_with('*')) {
          tile->active = tile->views.size();
          word.remove_suffix(1);
        }
        tile->views.emplace_back(word);
      }
      return tile;
    }
    if (kind != "columns" && kind != "rows") return fail(fmt::format("'{}' is not columns, rows or tabs", kind));
    tile->kind = kind == "rows" ? Tile::Kind::Rows : Tile::Kind::Columns;
    const std::string_view share = take_word(line);
    const auto read = std::from_chars(share.data(), share.data() + share.size(), tile->share);
    if (read.ec != std::errc() || read.ptr != share.data() + share.size() || !(tile->share > 0 && tile->share < 1))
      return fail(fmt::format("'{}' is no share between 0 and 1", share));
    tile->first = TRY(this->tile(depth + 1));
    tile->second = TRY(this->tile(depth + 1));
    return tile;
  }

 private:
  std::string_view next_line() {
    while (!rest_.empty()) {
      const size_t end = std::min(rest_.find('\n'), rest_.size());
      std::string_view line = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++number_;
      std::string_view words = line;
      if (!take_word(words).empty()) return line;
    }
    return {};
  }
  tl::unexpected<Error> fail(std::string_view what) const {
    return failure(ErrorKind::BadInput, fmt::format("layout, line {}: {}", number_, what));
  }

  std::string_view rest_;
  unsigned number_ = 0;
};

void write_tile(const Tile& tile, unsigned depth, std::string& to) {
  to.append(depth * 2, ' ');
  if (tile.kind == Tile::Kind::Tabs) {
    to += "tabs";
    for (size_t index = 0; index < tile.views.size(); ++index)
      to += fmt::format(" {}{}", tile.views[index], index == tile.active ? "*" : "");
    to += '\n';
    return;
  }
  to += fmt::format("{} {:.4f}\n", tile.kind == Tile::Kind::Rows ? "rows" : "columns", tile.share);
  write_tile(*tile.first, depth + 1, to);
  write_tile(*tile.second, depth + 1, to);
}

Tile* find_tile(Tile& tile, std::string_view view) {
  if (tile.kind == Tile::Kind::Tabs)
    return std::find(tile.views.begin(), tile.views.end(), view) != tile.views.end() ? &tile : nullptr;
  if (Tile* found = find_tile(*tile.first, view)) return found;
  return find_tile(*tile.second, view);
}

std::pair<Tile*, float> largest_tile(Tile& tile, float area) {
  if (tile.kind == Tile::Kind::Tabs) return {&tile, area};
  const auto first = largest_tile(*tile.first, area * tile.share);
  const auto second = largest_tile(*tile.second, area * (1 - tile.share));
  return first.second >= second.second ? first : second;
}

void drop_views(Tile& tile, const std::function<bool(const std::string&)>& known) {
  if (tile.kind != Tile::Kind::Tabs) {
    drop_views(*tile.first, known);
    drop_views(*tile.second, known);
    return;
  }
  const std::string active = tile.views.empty() ? std::string() : tile.views[tile.active];
  std::erase_if(tile.views, [&](const std::string& view) { return !known(view); });
  tile.active = 0;
  for (size_t index = 0; index < tile.views.size(); ++index)
    if (tile.views[index] == active) tile.active = index;
}

// What is left of a tree when its empty tiles are gone; null: nothing.
std::unique_ptr<Tile> without_empty(std::unique_ptr<Tile> tile) {
  if (tile->kind == Tile::Kind::Tabs) return tile->views.empty() ? nullptr : std::move(tile);
  tile->first = without_empty(std::move(tile->first));
  tile->second = without_empty(std::move(tile->second));
  if (!tile->first) return std::move(tile->second);
  if (!tile->second) return std::move(tile->first);
  return tile;
}

}  // namespace

Result<TileTree> TileTree::parse(std::string_view text) {
  TileTree tree;
  tree.root_ = without_empty(TRY(LayoutParser(text).tile(0)));
  if (!tree.root_) return failure(ErrorKind::BadInput, "layout: there is no view in it");
  return tree;
}

std::string TileTree::text() const {
  std::string text;
  write_tile(*root_, 0, text);
  return text;
}

Tile* TileTree::tile_of(std::string_view view) {
  return find_tile(*root_, view);
}

bool TileTree::is_visible(std::string_view view) {
  if (!maximised_.empty()) return maximised_ == view;
  const Tile* tile = tile_of(view);
  return tile && tile->views[tile->active] == view;
}

Tile& TileTree::first_tabs() {
  Tile* tile = root_.get();
  while (tile->kind != Tile::Kind::Tabs) tile = tile->first.get();
  return *tile;
}

Tile& TileTree::open(std::string_view view, Tile* otherwise) {
  if (!maximised_.empty() && maximised_ != view) maximised_.clear();
  Tile* tile = tile_of(view);
  if (!tile) {
    tile = otherwise ? otherwise : largest_tile(*root_, 1).first;
    tile->views.emplace_back(view);
  }
  tile->active = std::find(tile->views.begin(), tile->views.end(), view) - tile->views.begin();
  return *tile;
}

void TileTree::keep_only(const std::function<bool(const std::string& view)>& known) {
  drop_views(*root_, known);
  root_ = without_empty(std::move(root_));
  if (!root_) root_ = std::make_unique<Tile>();
}

void TileTree::close(std::string_view view) {
  Tile* tile = tile_of(view);
  if (!tile) return;
  if (maximised_ == view) maximised_.clear();
  if (root_->kind == Tile::Kind::Tabs && root_->views.size() == 1) return;
  const size_t index = std::find(tile->views.begin(), tile->views.end(), view) - tile->views.begin();
  tile->views.erase(tile->views.begin() + index);
  if (tile->active > index || tile->active >= tile->views.size()) tile->active -= tile->active > 0;
  root_ = without_empty(std::move(root_));
}

void TileTree::move(std::string_view view, Tile& to, Side side, size_t before) {
  const std::string name(view);
  Tile* from = tile_of(name);
  if (!from || (from == &to && side != Side::Middle && from->views.size() == 1)) return;
  const size_t old = std::find(from->views.begin(), from->views.end(), name) - from->views.begin();
  from->views.erase(from->views.begin() + old);
  if (from->active > old || from->active >= from->views.size()) from->active -= from->active > 0;
  if (side == Side::Middle) {
    if (from == &to && before != std::string::npos && before > old) --before;
    before = std::min(before, to.views.size());
    to.views.insert(to.views.begin() + before, name);
    to.active = before;
  } else {
    auto kept = std::make_unique<Tile>(std::move(to));
    auto added = std::make_unique<Tile>();
    added->views = {name};
    to = Tile();
    to.kind = side == Side::Left || side == Side::Right ? Tile::Kind::Columns : Tile::Kind::Rows;
    const bool added_first = side == Side::Left || side == Side::Top;
    to.first = added_first ? std::move(added) : std::move(kept);
    to.second = added_first ? std::move(kept) : std::move(added);
  }
  root_ = without_empty(std::move(root_));
}

const char* preset_layout(std::string_view name) {
  if (name == "crash")
    return R"(columns 0.24
rows 0.42
tabs threads* goroutines
tabs stack*
columns 0.66
rows 0.68
tabs summary* source disassembly memory
tabs log* network files map symbols search marks jobs
rows 0.56
tabs variables* watch
tabs registers*
)";
  if (name == "live")
    return R"(columns 0.24
rows 0.42
tabs threads*
tabs stack*
columns 0.66
rows 0.72
rows 0.62
tabs source* summary
tabs disassembly* memory
tabs breakpoints* log network files map symbols search marks jobs
rows 0.56
tabs variables* watch
tabs registers*
)";
  if (name == "replay")
    return R"(rows 0.8
columns 0.24
rows 0.42
tabs threads*
tabs stack*
columns 0.66
rows 0.62
tabs source* summary
tabs disassembly* memory
rows 0.56
tabs variables* watch
tabs registers*
tabs breakpoints* log events network files map symbols search marks jobs timeline
)";
  if (name == "welcome") return "tabs welcome*\n";
  return nullptr;
}

}  // namespace mortem::inspector::app
