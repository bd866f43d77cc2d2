#include "inspector/app/input/input_queue.h"

#include <set>

namespace mortem::inspector::app {
namespace {

void hand_over(const InputEvent& event) {
  ImGuiIO& io = ImGui::GetIO();
  switch (event.kind) {
    case InputEvent::Kind::Move:
      io.AddMousePosEvent(event.position.x, event.position.y);
      break;
    case InputEvent::Kind::Button:
      io.AddMouseButtonEvent(event.button, event.down);
      break;
    case InputEvent::Kind::Wheel:
      io.AddMouseWheelEvent(event.position.x, event.position.y);
      break;
    case InputEvent::Kind::Key:
      if (const ImGuiKey modifier = modifier_key(event.key); modifier != ImGuiKey_None)
        io.AddKeyEvent(modifier, event.down);
      io.AddKeyEvent(event.key, event.down);
      break;
    case InputEvent::Kind::Character:
      io.AddInputCharacter(event.character);
      break;
    case InputEvent::Kind::Focus:
      io.AddFocusEvent(event.down);
      break;
    case InputEvent::Kind::Drop:
      break;  // the application's own
  }
}

}  // namespace

void InputQueue::feed(const std::function<void(const InputEvent&)>& seen) {
  std::set<int> edges;  // keys, and -1 - button
  bool button_edge = false, key_edge = false, moved_after_button = false;
  while (!waiting_.empty()) {
    const InputEvent& event = waiting_.front();
    // What comes after an edge in time must not reach the frame together with it where ImGui would see another order:
    // a move after a press, a second edge of the same key, a key after a character.
    if (event.kind == InputEvent::Kind::Move && button_edge) moved_after_button = true;
    if (event.kind == InputEvent::Kind::Button && (button_edge || !edges.insert(-1 - event.button).second)) break;
    if (event.kind == InputEvent::Kind::Key && modifier_key(event.key) == ImGuiKey_None && key_edge) break;
    if (event.kind == InputEvent::Kind::Key && !edges.insert(event.key).second) break;
    if (event.kind == InputEvent::Kind::Wheel && button_edge) break;
    if (moved_after_button) break;
    button_edge = button_edge || event.kind == InputEvent::Kind::Button;
    key_edge = key_edge || (event.kind == InputEvent::Kind::Key && modifier_key(event.key) == ImGuiKey_None);
    hand_over(event);
    if (seen) seen(event);
    waiting_.pop_front();
  }
}

}  // namespace mortem::inspector::app
