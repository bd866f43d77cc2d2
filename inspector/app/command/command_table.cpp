#include "inspector/app/command/command_table.h"

#include <cctype>

namespace mortem::inspector::app {

void CommandTable::add(Command command) {
  commands_.push_back(std::move(command));
  const Command& kept = commands_.back();
  std::string_view keys = kept.keys;
  while (!keys.empty()) {
    const size_t blank = keys.find(' ');
    if (const auto chord = parse_key_chord(keys.substr(0, blank))) keys_.emplace_back(*chord, &kept);
    keys.remove_prefix(blank == std::string_view::npos ? keys.size() : blank + 1);
  }
}

const Command* CommandTable::find(std::string_view name) const {
  for (const Command& command : commands_)
    if (command.name == name) return &command;
  return nullptr;
}

const Command* CommandTable::of_keys(const KeyChord& chord) const {
  for (const auto& [keys, command] : keys_)
    if (keys == chord) return command;
  return nullptr;
}

std::string unavailable(const Command& command) {
  return command.unavailable ? command.unavailable() : std::string();
}

int fitness(std::string_view typed, std::string_view title) {
  int points = 0;
  size_t at = 0;
  bool last_fitted = false;
  for (const char wanted : typed) {
    if (wanted == ' ') continue;
    const int letter = std::tolower(static_cast<unsigned char>(wanted));
    const size_t from = at;
    while (at < title.size() && std::tolower(static_cast<unsigned char>(title[at])) != letter) ++at;
    if (at == title.size()) return -1;
    const bool begins_word = at == 0 || !std::isalnum(static_cast<unsigned char>(title[at - 1]));
    points += begins_word ? 8 : 1;
    if (last_fitted && at == from) points += 4;
    points -= int(std::min<size_t>(at - from, 3));
    last_fitted = true;
    ++at;
  }
  return std::max(points * 4 - int(std::min<size_t>(title.size(), 40)) / 4, 0) + (typed.empty() ? 0 : 1);
}

}  // namespace mortem::inspector::app
