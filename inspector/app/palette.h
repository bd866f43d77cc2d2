// One field in which every command is found by a few of its letters, and in which a command's argument is typed.
#pragma once

#include <string>
#include <vector>

#include "inspector/app/workspace.h"

namespace mortem::inspector::app {

class Palette {
 public:
  explicit Palette(Workspace& workspace) : workspace_(workspace) {}
  void open();                         // all commands
  void ask(const Command& command);    // its argument
  void close() { shown_ = false; }
  bool shown() const { return shown_; }
  bool is_appearing() const { return shown_ && appearing_; }  // its field has no keyboard yet
  void draw();

 private:
  struct Line {
    std::string text, group, detail, argument;
    const Command* command = nullptr;
    std::string unavailable;
    int fitness = 0;
  };
  std::vector<Line> lines() const;
  void add_commands(std::vector<Line>& to) const;
  void add_suggestions(std::vector<Line>& to) const;
  void choose(const Line& line);
  void choose_typed();

  Workspace& workspace_;
  bool shown_ = false, appearing_ = false;
  const Command* asked_ = nullptr;  // whose argument is typed; null: a command is looked for
  std::string typed_;
  size_t selected_ = 0;
  bool picked_ = false;  // a line, by the arrow keys
};

}  // namespace mortem::inspector::app
