// Scripts do what people do: they click texts that are on the screen, type, wait until something can be read, and check
// what is drawn. One step a line:
//
//   open TARGET                         wait until it is open: see wait
//   command NAME [ARGUMENT]             of the command table
//   click "TEXT" [in VIEW] [nth N]      also double-click, right-click, middle-click, hover
//   click-at X Y                        pixels
//   drag "TEXT" to X Y | drag "TEXT" to "TEXT" | drag-at X Y to X Y
//   type "TEXT"     key CHORD           "Ctrl+G", "Enter", "F5"
//   burst-click TIMES "TEXT" …          all at once, faster than frames; burst-key TIMES CHORD
//   wheel LINES "TEXT" [in VIEW]        over it
//   wait "TEXT" [in VIEW] [for SECONDS] wait-not "TEXT" …      settle: until nothing is on its way
//   check "TEXT" [in VIEW]              check-not "TEXT" …
//   check-fact NAME VALUE               thread, frame, focus, threads, phase, target, copied, hexadecimal, jobs-failed,
//                                       preset, theme, zoom (percent), shown (a view is visible), clicks, presses
//                                       (that ImGui saw)
//   check-tint TINT "TEXT" [in VIEW]    the text is drawn in that colour of the theme: changed, error, warning, …;
//                                       "*" is any text
//   check-command NAME available|unavailable
//   list-commands                       prints the command table: a name, a tab, its keys
//   show [VIEW]                         prints the text that is drawn
//   picture FILE.png                    with --egl
//   check-picture FILE.png PERCENT      at most so many pixels differ; else FILE.actual.png is left in the working
//                                       folder
//   frame-time MILLISECONDS             from now on every frame takes that long
//   timings STARTED                     prints as JSON when the first frame and the first stack were there, after that
//                                       moment of the monotonic clock in ns
//   measure VIEW                        prints the milliseconds to build a frame
//   check-frames MILLISECONDS           no frame so far took longer to build
//   check-drawn MOST                    so many frames at most were drawn since the last check-drawn
//
// A text is found where it stands in one line of the screen. Lines that begin with # say nothing.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inspector/app/application.h"

namespace mortem::inspector::app {

struct ScriptStep {
  unsigned line = 0;
  std::vector<std::string> words;  // without their quotes
};

Result<std::vector<ScriptStep>> parse_script(std::string_view text);
Result<std::vector<ScriptStep>> read_script(const std::filesystem::path& path);

class ScriptRunner {
 public:
  explicit ScriptRunner(Application& application) : application_(application) {}
  // The error names the line, and what is on the screen when something is not there.
  Result<void> run(const std::vector<ScriptStep>& steps);
  // Frames until nothing is on its way. False: it did not come to rest in time.
  bool settle(double seconds);

 private:
  struct Where {
    std::string text, view;
    size_t nth = 1;
    double seconds = 30;
  };
  using Words = std::vector<std::string>;
  Result<void> step(const Words& words);
  Result<Where> where(const Words& words, size_t from) const;
  std::vector<FoundText> find(const Where& where);
  Result<ImVec2> point_of(const Where& where);
  template <typename Condition>
  bool frames_until(double seconds, const Condition& condition);
  void frame();
  void deliver();  // frames until the input that was given is taken
  void pause_before_press(ImVec2 at);
  void press(int button, ImVec2 at, int times);
  void push_keys(const KeyChord& chord);
  void type(std::string_view text);
  Result<void> drag(const Words& words);
  Result<void> check_tint(const Words& words);
  Result<void> check_fact(const std::string& name, const std::string& value);
  void print_timings(const std::string& started) const;
  void measure(const std::string& view);
  Result<void> compare_picture(const std::filesystem::path& path, double most_percent);
  std::string seen(const std::string& view);  // the screen's text
  std::string complaints() const;

  Application& application_;
  uint64_t drawn_before_ = 0;
  double frame_milliseconds_ = 0;
  ImVec2 last_press_{-1000, -1000};
};

}  // namespace mortem::inspector::app
