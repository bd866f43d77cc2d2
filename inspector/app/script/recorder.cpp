#include "inspector/app/script/recorder.h"

#include <fmt/format.h>
#include <imgui_internal.h>

#include <cmath>

namespace mortem::inspector::app {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    out += letter;
  }
  return out + '"';
}

// Keys that give no character, and so are not in what was typed.
bool gives_text(ImGuiKey key) {
  return (key >= ImGuiKey_0 && key <= ImGuiKey_Z) || key == ImGuiKey_Space ||
         (key >= ImGuiKey_Apostrophe && key <= ImGuiKey_GraveAccent);
}

}  // namespace

// By its text if there is one: in which view, and the how-manieth there.
std::string Recorder::named(const std::string& step, ImVec2 at) {
  const auto& lines = application_.screen();
  const std::string text = text_at(lines, at);
  if (text.empty()) return fmt::format("{}-at {:.0f} {:.0f}", step, at.x, at.y);
  std::string view;
  for (const ViewKind& kind : view_kinds()) {
    const ScreenArea area = application_.tiles().area_of(kind.name);
    if (!area.everywhere() && area.holds(at)) view = kind.name;
  }
  const auto found = find_on_screen(lines, text, view.empty() ? ScreenArea{} : application_.tiles().area_of(view));
  size_t nth = 1;
  for (size_t index = 0; index < found.size(); ++index)
    if (at.x >= found[index].line->left && at.x < found[index].line->right && at.y >= found[index].line->top &&
        at.y < found[index].line->bottom) {
      nth = index + 1;
      break;
    }
  return fmt::format("{} {}{}{}", step, in_quotes(text), view.empty() ? "" : " in " + view,
                     nth > 1 ? fmt::format(" nth {}", nth) : "");
}

void Recorder::begin_step() {
  click_begins_ = std::string::npos;
  const Session* session = application_.workspace().session.get();
  if (session && !session->busy() && !text_.ends_with("settle\n")) text_ += "settle\n";
}

// The button went up where it was pressed. The second of two is a double click (ImGuiIO::MouseDoubleClickTime).
void Recorder::end_click() {
  const auto now = std::chrono::steady_clock::now();
  const bool is_second = click_begins_ != std::string::npos && pressed_button_ == 0 &&
                         now - clicked_ < std::chrono::milliseconds(300) && std::abs(mouse_.x - clicked_at_.x) < 6 &&
                         std::abs(mouse_.y - clicked_at_.y) < 6;
  if (is_second) {
    text_.insert(click_begins_, "double-");
    click_begins_ = std::string::npos;
    return;
  }
  begin_step();
  click_begins_ = pressed_button_ == 0 ? text_.size() : std::string::npos;
  clicked_ = now;
  clicked_at_ = mouse_;
  text_ += pressed_step_ + '\n';
}

void Recorder::flush_typed() {
  if (typed_.empty()) return;
  click_begins_ = std::string::npos;
  text_ += fmt::format("type {}\n", in_quotes(typed_));
  typed_.clear();
}

void Recorder::record(const InputEvent& event) {
  switch (event.kind) {
    case InputEvent::Kind::Move:
      mouse_ = event.position;
      break;
    case InputEvent::Kind::Button:
      flush_typed();
      if (event.down) {
        pressed_at_ = mouse_;
        pressed_button_ = event.button;
        pressed_step_ = named(event.button == 1 ? "right-click" : event.button == 2 ? "middle-click" : "click", mouse_);
      } else if (event.button == pressed_button_) {
        const bool moved = std::abs(mouse_.x - pressed_at_.x) > 6 || std::abs(mouse_.y - pressed_at_.y) > 6;
        if (moved && event.button == 0) {
          begin_step();
          text_ +=
              fmt::format("drag-at {:.0f} {:.0f} to {:.0f} {:.0f}\n", pressed_at_.x, pressed_at_.y, mouse_.x, mouse_.y);
        } else {
          end_click();
        }
        pressed_button_ = -1;
      }
      break;
    case InputEvent::Kind::Wheel:
      flush_typed();
      if (!text_at(application_.screen(), mouse_).empty()) {
        begin_step();
        text_ += named(fmt::format("wheel {:g}", event.position.y), mouse_) + '\n';
      }
      break;
    case InputEvent::Kind::Key:
      if (const ImGuiKey modifier = modifier_key(event.key); modifier != ImGuiKey_None) {
        (modifier == ImGuiMod_Ctrl ? control_ : modifier == ImGuiMod_Shift ? shift_ : alt_) = event.down;
      } else if (event.down && (control_ || alt_ || !gives_text(event.key))) {
        flush_typed();
        begin_step();
        text_ += fmt::format("key {}\n", key_chord_text({event.key, control_, shift_, alt_}));
      }
      break;
    case InputEvent::Kind::Character:
      if (event.character < 0x80) {
        typed_ += char(event.character);
      } else {
        char bytes[5];
        typed_ += ImTextCharToUtf8(bytes, event.character);
      }
      break;
    case InputEvent::Kind::Drop:
      text_ += fmt::format("open {}\n", in_quotes(event.path));
      break;
    case InputEvent::Kind::Focus:
      break;
  }
}

std::string Recorder::text() {
  flush_typed();
  return text_;
}

}  // namespace mortem::inspector::app
