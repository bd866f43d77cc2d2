// How a view is made: one class in one file views/NAME.cpp that ends in
//
//   const ViewRegistration registration{{.name = "threads", .title = "Threads", .make = make_view<ThreadsView>}};
//
// A view reads the model (Workspace::session) and asks for commands, which are applied between frames. It knows no
// other view: it says which place it wants to be seen (Workspace::go), and whoever shows such places shows it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inspector/app/workspace.h"

namespace mortem::inspector::app {

class View {
 public:
  virtual ~View() = default;
  // Inside its tile; once a frame while it is visible.
  virtual void draw(Workspace& workspace) = 0;
  virtual void find() {}                                    // Ctrl+F: its search field takes the keyboard
  virtual std::string copied(Workspace&) { return {}; }     // what Ctrl+C copies; empty: nothing
};

struct ViewKind {
  std::string name;        // of commands, layouts and scripts: "view.NAME"
  std::string title;       // of its tab
  std::string keys = {};   // "Alt+1"
  int place = 100;         // in the menu
  bool needs_target = true;
  std::unique_ptr<View> (*make)() = nullptr;
};

template <typename T>
std::unique_ptr<View> make_view() {
  return std::make_unique<T>();
}

class ViewRegistration {
 public:
  explicit ViewRegistration(ViewKind kind);
};
const std::vector<ViewKind>& view_kinds();  // by place
const ViewKind* find_view_kind(std::string_view name);  // null: none

}  // namespace mortem::inspector::app
