// Events on their way to the frames. A frame takes one edge of a key or button and leaves the rest to the next one, so
// that a click which is shorter than a slow frame is still a click.
#pragma once

#include <deque>
#include <functional>

#include "inspector/app/input/input_event.h"

namespace mortem::inspector::app {

class InputQueue {
 public:
  void push(InputEvent event) { waiting_.push_back(std::move(event)); }
  bool empty() const { return waiting_.empty(); }
  // Hands what one frame may take to ImGui (before ImGui::NewFrame), and each event to `seen`.
  void feed(const std::function<void(const InputEvent&)>& seen);

 private:
  std::deque<InputEvent> waiting_;
};

}  // namespace mortem::inspector::app
