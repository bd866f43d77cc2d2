// Everything that can be done, once: menus, palette, shortcuts, help and scripts are made of this table.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "inspector/app/input/input_event.h"
#include "snapshot/result.h"

namespace mortem::inspector::app {

struct Suggestion {
  std::string text, detail;
  std::string argument;  // that the command gets
};

struct Command {
  std::string name;      // of scripts: "go.address"
  std::string menu;      // in which it stands, "" for none; also its group in the palette
  std::string title;     // "Go to address"
  std::string keys = {};  // "Ctrl+G"; several by blanks; empty: none
  std::string argument = {};  // what it asks for, "Address or expression"; empty: it needs none
  std::function<Result<void>(const std::string& argument)> run;
  // Why it cannot be done now; empty: it can.
  std::function<std::string()> unavailable = {};
  // What its argument may be, as far as it was typed; the best first.
  std::function<std::vector<Suggestion>(const std::string& typed)> suggest = {};
  std::string button = {};   // in the bar above, while it can be done; empty: it has none
  bool typed_first = false;  // Enter takes what was typed, not the first suggestion
};

class CommandTable {
 public:
  void add(Command command);
  const Command* find(std::string_view name) const;  // null: none of that name
  const Command* of_keys(const KeyChord& chord) const;
  const std::deque<Command>& all() const { return commands_; }

 private:
  std::deque<Command> commands_;  // their addresses stay
  std::vector<std::pair<KeyChord, const Command*>> keys_;
};

std::string unavailable(const Command& command);  // why it cannot be done now; empty: it can

// How well what was typed fits a title: its letters in their order, best at the beginnings of words. Less than 0: not.
int fitness(std::string_view typed, std::string_view title);

}  // namespace mortem::inspector::app
