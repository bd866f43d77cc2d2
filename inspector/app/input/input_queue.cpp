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
  bool button_edge = false, key_edge = false, moved = false;
  while (!waiting_.empty()) {
    const InputEvent& event = waiting_.front();
    // What comes after an edge in time must not reach the frame together with it where ImGui would see another order:
    // a move after a press, a second edge of the same key, a modifier that goes up after the key it belongs to. Nor a press together with the move before it: what lies on
    // top of something else takes a press only when the mouse was on it in a frame before.
    if (event.kind == InputEvent::Kind::Move && button_edge) break;
    moved = moved || event.kind == InputEvent::Kind::Move;
    if (event.kind == InputEvent::Kind::Button && (button_edge || moved || !edges.insert(-1 - event.button).second)) break;
    if (event.kind == InputEvent::Kind::Key && (key_edge || button_edge)) break;
    if (event.kind == InputEvent::Kind::Key && !edges.insert(event.key).second) break;
    if (event.kind == InputEvent::Kind::Wheel && button_edge) break;
    button_edge = button_edge || event.kind == InputEvent::Kind::Button;
    key_edge = key_edge || (event.kind == InputEvent::Kind::Key && modifier_key(event.key) == ImGuiKey_None);
    hand_over(event);
    if (seen) seen(event);
    waiting_.pop_front();
  }
}

}  // namespace mortem::inspector::app
