// Writes what a person does as a script (script.h): clicks by the text that was clicked, and "settle" where the person
// saw all there was before going on.
#pragma once

#include <chrono>
#include <string>

#include "inspector/app/application.h"

namespace mortem::inspector::app {

class Recorder {
 public:
  explicit Recorder(Application& application) : application_(application) {}
  void record(const InputEvent& event);
  std::string text();  // of all so far

 private:
  void flush_typed();
  void begin_step();  // what comes next was done after all had arrived, or not
  void end_click();
  std::string named(const std::string& step, ImVec2 at);

  Application& application_;
  std::string text_, typed_;
  ImVec2 mouse_{}, pressed_at_{};
  int pressed_button_ = -1;
  std::string pressed_step_;  // how the place that was pressed is named
  std::chrono::steady_clock::time_point clicked_{};
  ImVec2 clicked_at_{};
  size_t click_begins_ = std::string::npos;  // where in text_ the last step is, if that is a click
  bool control_ = false, shift_ = false, alt_ = false;
};

}  // namespace mortem::inspector::app
