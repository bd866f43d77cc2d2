// The inspector: one window over one target. Draws a frame when something happened, applies what was asked for between
// two frames.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "inspector/app/frontend/frontend.h"
#include "inspector/app/palette.h"
#include "inspector/app/script/screen_text.h"
#include "inspector/app/tile_window.h"
#include "inspector/app/toasts.h"
#include "inspector/app/workspace.h"

namespace mortem::inspector::app {

struct ApplicationSetup {
  OpenTarget open;
  std::function<SymbolOptions(const std::string& target)> symbols;
  std::vector<std::filesystem::path> source_folders;
  std::function<std::vector<Guest>()> running_guests;
  TargetActions actions;
  std::filesystem::path settings;  // empty: none are kept
};

class Application {
 public:
  // ImGui's context must be there, and the frontend be open on it.
  Application(ApplicationSetup setup, Frontend& frontend, Settings settings);
  ~Application();

  void open(const std::string& target);
  void close_target();
  // Until the window is closed, or command "quit".
  void run();
  void frame();
  bool ended() const { return ended_ || frontend_.asked_to_close(); }
  void end() { ended_ = true; }  // from any thread
  // Nothing is on its way: no input, no command, no answer that a visible view waits for.
  bool settled() const;
  bool quiet() const;  // the same, but answers may be on their way

  Workspace& workspace() { return workspace_; }
  TileWindow& tiles() { return tiles_; }
  InputQueue& input() { return input_; }
  Frontend& frontend() { return frontend_; }
  void set_preset(const std::string& name);
  void choose_preset(const std::string& name);
  const std::string& preset() const { return preset_; }
  void reset_layout();
  void set_zoom(float zoom);
  void set_brightness_of_all(Brightness brightness);
  // The last frame's text.
  const std::vector<ScreenLine>& screen();
  double last_build_seconds() const { return build_seconds_; }  // of the last frame with all it applied, not drawing it
  double last_build_cpu_seconds() const { return build_cpu_seconds_; }  // of this thread: what others do takes no part
  double slowest_build_seconds() const { return slowest_build_; }
  uint64_t frames_drawn() const { return frames_drawn_; }
  std::chrono::steady_clock::time_point first_frame() const { return first_frame_; }
  std::chrono::steady_clock::time_point first_stack() const { return first_stack_; }  // drawn; of the last target
  // Of the left button, and of keys without modifiers' own: as ImGui gave them to those who drew.
  uint64_t clicks_seen() const { return clicks_seen_; }
  uint64_t presses_seen() const { return presses_seen_; }
  std::function<void(const InputEvent&)> on_input;  // a recorder

 private:
  bool takes_input() const;
  bool quiet_input() const;
  void apply_actions();
  void handle_keys();
  void run_keys(const KeyChord& chord);
  void handle_event(const InputEvent& event);
  void draw();
  void draw_menu();
  void draw_buttons();
  void draw_status();
  void draw_help();
  void follow_session();
  void show(const Place& place);
  void step_history(bool forward);
  bool fonts_outdated() const { return font_scale_ != workspace_.settings.zoom * frontend_.scale(); }
  void rebuild_fonts();
  void keep_layout();
  double seconds_to_wait() const;

  ApplicationSetup setup_;
  Frontend& frontend_;
  Workspace workspace_;
  TileWindow tiles_;
  Palette palette_;
  Toasts toasts_;
  InputQueue input_;
  std::vector<ScreenLine> screen_;
  bool screen_read_ = false, help_shown_ = false, selected_first_ = false;
  std::string taken_for_;  // the kind of target, as settings know it
  std::atomic<bool> ended_ = false;
  std::vector<std::future<void>> closing_;  // sessions that come to their end
  int frames_wanted_ = 3;                   // ImGui needs a few until what moved stands still
  int undrawn_ = 0;                         // frames since one was drawn
  uint64_t frames_drawn_ = 0;
  uint64_t seen_revision_ = 0, seen_stops_ = 0;
  std::string preset_, shown_title_;
  float font_scale_ = 0;  // of the fonts that are built
  double build_seconds_ = 0, build_cpu_seconds_ = 0, slowest_build_ = 0;
  uint64_t clicks_seen_ = 0, presses_seen_ = 0;
  std::chrono::steady_clock::time_point last_mouse_move_{}, first_frame_{}, first_stack_{};

  friend void add_application_commands(Application& application);
};

// Fills the command table (application_commands.cpp).
void add_application_commands(Application& application);

}  // namespace mortem::inspector::app
