// What people, scripts and recordings do to the window: one kind of event for all three.
#pragma once

#include <imgui.h>

#include <optional>
#include <string>
#include <string_view>

namespace mortem::inspector::app {

struct InputEvent {
  enum class Kind { Move, Button, Wheel, Key, Character, Focus, Drop };
  Kind kind = Kind::Move;
  ImVec2 position{};           // Move; Wheel: how far
  int button = 0;              // Button: 0 left, 1 right, 2 middle
  ImGuiKey key = ImGuiKey_None;
  bool down = false;           // Button, Key, Focus
  unsigned character = 0;      // Unicode
  std::string path{};          // Drop: a file that was dragged here
};

// A key with the modifiers that have to be down: "Ctrl+Shift+F5".
struct KeyChord {
  ImGuiKey key = ImGuiKey_None;
  bool control = false, shift = false, alt = false;
  bool operator==(const KeyChord&) const = default;
};
std::optional<KeyChord> parse_key_chord(std::string_view text);
std::string key_chord_text(const KeyChord& chord);
ImGuiKey modifier_key(ImGuiKey key);  // ImGuiMod_Ctrl of ImGuiKey_LeftCtrl; ImGuiKey_None of all others

}  // namespace mortem::inspector::app
