// What all views share: the open target, what is selected in it, places to go to, settings. Views read it; what changes
// it is a command, applied between two frames.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "inspector/app/command/command_table.h"
#include "inspector/app/model/session.h"
#include "inspector/app/settings/settings.h"

namespace mortem::inspector::app {

// What a view was last asked to show. `serial` changes with every request, also with one for the same place.
struct ShownPlace {
  Place place;
  uint64_t serial = 0;  // 0: none yet
};

struct Guest {  // that runs on this machine
  std::string name, program;
};

// What can be done with a target as a whole: the command around the inspector knows how. Each action runs in a job's
// thread; what it gives is what there is to open then, empty for nothing. The sentences say why it cannot be done with
// that target, empty: it can; they are asked for when a target was opened.
struct TargetActions {
  using Why = std::function<std::string(const std::string& target, bool live)>;
  Why no_clone, no_dump;
  std::function<Result<std::string>(const std::string& target, const std::string& folder, JobControl& job)> clone;
  std::function<Result<std::string>(const std::string& target, JobControl& job)> resume;
  // `ask` makes the guest write its dump, which ends the connection; what is new beside its older ones is waited for.
  std::function<Result<std::string>(const std::string& target, const std::function<Result<void>()>& ask,
                                    JobControl& job)>
      dump;
};

// The value that is being edited in a tree of values.
struct EditedValue {
  unsigned id = 0;  // ImGui's of its row; 0: none
  std::string text;
  int tries = 0;  // in how many frames more it asks for the keyboard
};

class Workspace {
 public:
  explicit Workspace(std::function<void()> wake) : jobs(wake), wake_(std::move(wake)) {}

  std::unique_ptr<Session> session;  // null: nothing is open
  Jobs jobs;                         // of no session: opening files, errors of commands
  CommandTable commands;
  Settings settings;
  std::function<std::vector<Guest>()> running_guests;
  TargetActions actions;
  EditedValue edited;

  // The thread and the frame that views show. Of a target that is not open yet: 0.
  uint32_t thread() const { return thread_; }
  size_t frame() const { return frame_; }
  uint64_t selection_serial() const { return selection_serial_; }

  // --- between frames
  void command(std::string name, std::string argument = {});  // without its argument it is asked for
  void go(Place place);                                       // shows the place in its view; recorded in the history
  void select_thread(uint32_t thread) { select_frame(thread, 0); }
  void select_frame(uint32_t thread, size_t frame);
  void select_frame_now(uint32_t thread, size_t frame);  // in a command
  void later(std::function<void()> action) { waiting_.push_back(std::move(action)); }
  void later_from_job(std::function<void()> action);  // from any thread

  const ShownPlace& shown(const std::string& view) { return shown_[view]; }

  bool hexadecimal = true;  // how numbers without a nature of their own are written
  // A view wants another frame soon, though nothing happens: something moves.
  double redraw_within = 1e9;  // seconds

  // --- of the application
  std::deque<std::function<void()>> take_actions();
  bool has_actions() const;
  void set_selection(uint32_t thread, size_t frame);
  void set_shown(const Place& place);
  void forget_target();
  std::function<void(const Place&)> on_go;     // opens the view
  std::function<void(const Command&)> on_ask;  // asks for the argument

 private:
  uint32_t thread_ = 0;
  size_t frame_ = 0;
  uint64_t selection_serial_ = 1, place_serial_ = 0;
  std::map<std::string, ShownPlace> shown_;
  std::deque<std::function<void()>> waiting_;
  std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::deque<std::function<void()>> from_jobs_;  // with the mutex
};

// How a view, or a family of commands of its own file, adds commands: at the end of its file
//   const CommandRegistration registration(add_commands);
class CommandRegistration {
 public:
  using Add = void (*)(Workspace&);
  explicit CommandRegistration(Add add);
};
const std::vector<CommandRegistration::Add>& registered_commands();

}  // namespace mortem::inspector::app
