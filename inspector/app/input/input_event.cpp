#include "inspector/app/input/input_event.h"

#include <array>

namespace mortem::inspector::app {
namespace {

struct NamedKey {
  const char* name;
  ImGuiKey key;
};

constexpr std::array kNamedKeys = {
    NamedKey{"Left", ImGuiKey_LeftArrow},    NamedKey{"Right", ImGuiKey_RightArrow},
    NamedKey{"Up", ImGuiKey_UpArrow},        NamedKey{"Down", ImGuiKey_DownArrow},
    NamedKey{"PageUp", ImGuiKey_PageUp},     NamedKey{"PageDown", ImGuiKey_PageDown},
    NamedKey{"Home", ImGuiKey_Home},         NamedKey{"End", ImGuiKey_End},
    NamedKey{"Enter", ImGuiKey_Enter},       NamedKey{"Escape", ImGuiKey_Escape},
    NamedKey{"Tab", ImGuiKey_Tab},           NamedKey{"Space", ImGuiKey_Space},
    NamedKey{"Backspace", ImGuiKey_Backspace}, NamedKey{"Delete", ImGuiKey_Delete},
    NamedKey{"Plus", ImGuiKey_Equal},        NamedKey{"Minus", ImGuiKey_Minus},
    NamedKey{"Slash", ImGuiKey_Slash},       NamedKey{"Comma", ImGuiKey_Comma},
    NamedKey{"Period", ImGuiKey_Period},     NamedKey{"Backslash", ImGuiKey_Backslash},
};

ImGuiKey key_of(std::string_view name) {
  for (const NamedKey& known : kNamedKeys)
    if (name == known.name) return known.key;
  if (name == "?") return ImGuiKey_Slash;
  if (name.size() == 1 && name[0] >= 'A' && name[0] <= 'Z') return ImGuiKey(ImGuiKey_A + (name[0] - 'A'));
  if (name.size() == 1 && name[0] >= '0' && name[0] <= '9') return ImGuiKey(ImGuiKey_0 + (name[0] - '0'));
  if (name.size() >= 2 && name.size() <= 3 && name[0] == 'F') {
    int number = 0;
    for (const char digit : name.substr(1)) {
      if (digit < '0' || digit > '9') return ImGuiKey_None;
      number = number * 10 + (digit - '0');
    }
    if (number >= 1 && number <= 12) return ImGuiKey(ImGuiKey_F1 + number - 1);
  }
  return ImGuiKey_None;
}

std::string key_name(ImGuiKey key) {
  for (const NamedKey& known : kNamedKeys)
    if (key == known.key) return known.name;
  if (key >= ImGuiKey_A && key <= ImGuiKey_Z) return std::string(1, char('A' + (key - ImGuiKey_A)));
  if (key >= ImGuiKey_0 && key <= ImGuiKey_9) return std::string(1, char('0' + (key - ImGuiKey_0)));
  if (key >= ImGuiKey_F1 && key <= ImGuiKey_F12) return "F" + std::to_string(key - ImGuiKey_F1 + 1);
  return "";
}

}  // namespace

std::optional<KeyChord> parse_key_chord(std::string_view text) {
  KeyChord chord;
  for (;;) {
    const size_t plus = text.find('+');
    if (plus == std::string_view::npos) break;
    const std::string_view part = text.substr(0, plus);
    if (part == "Ctrl")
      chord.control = true;
    else if (part == "Shift")
      chord.shift = true;
    else if (part == "Alt")
      chord.alt = true;
    else
      return std::nullopt;
    text.remove_prefix(plus + 1);
  }
  if (text == "?") chord.shift = true;
  chord.key = key_of(text);
  if (chord.key == ImGuiKey_None) return std::nullopt;
  return chord;
}

std::string key_chord_text(const KeyChord& chord) {
  if (chord == KeyChord{.key = ImGuiKey_Slash, .shift = true}) return "?";
  return std::string(chord.control ? "Ctrl+" : "") + (chord.shift ? "Shift+" : "") + (chord.alt ? "Alt+" : "") +
         key_name(chord.key);
}

ImGuiKey modifier_key(ImGuiKey key) {
  switch (key) {
    case ImGuiKey_LeftCtrl:
    case ImGuiKey_RightCtrl:
      return ImGuiMod_Ctrl;
    case ImGuiKey_LeftShift:
    case ImGuiKey_RightShift:
      return ImGuiMod_Shift;
    case ImGuiKey_LeftAlt:
    case ImGuiKey_RightAlt:
      return ImGuiMod_Alt;
    default:
      return ImGuiKey_None;
  }
}

}  // namespace mortem::inspector::app
