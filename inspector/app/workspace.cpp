#include "inspector/app/workspace.h"

namespace mortem::inspector::app {
namespace {

std::vector<CommandRegistration::Add>& command_families() {
  static std::vector<CommandRegistration::Add> families;
  return families;
}

}  // namespace

CommandRegistration::CommandRegistration(Add add) {
  command_families().push_back(add);
}
const std::vector<CommandRegistration::Add>& registered_commands() {
  return command_families();
}

void Workspace::command(std::string name, std::string argument) {
  later([this, name = std::move(name), argument = std::move(argument)] {
    const Command* command = commands.find(name);
    if (!command) return jobs.report(name, "there is no command of this name");
    if (const std::string why = unavailable(*command); !why.empty()) return jobs.report(command->title, why);
    if (!command->argument.empty() && argument.empty() && on_ask) return on_ask(*command);
    if (const auto done = command->run(argument); !done) jobs.report(command->title, done.error().message);
  });
}

void Workspace::later_from_job(std::function<void()> action) {
  {
    const std::lock_guard lock(mutex_);
    from_jobs_.push_back(std::move(action));
  }
  wake_();
}

std::deque<std::function<void()>> Workspace::take_actions() {
  auto all = std::exchange(waiting_, {});
  const std::lock_guard lock(mutex_);
  for (auto& action : std::exchange(from_jobs_, {})) all.push_back(std::move(action));
  return all;
}

bool Workspace::has_actions() const {
  const std::lock_guard lock(mutex_);
  return !waiting_.empty() || !from_jobs_.empty();
}

void Workspace::go(Place place) {
  later([this, place = std::move(place)] {
    if (!session) return;
    session->history().visit(place);
    if (on_go) on_go(place);
  });
}

void Workspace::select_frame(uint32_t thread, size_t frame) {
  later([this, thread, frame] { select_frame_now(thread, frame); });
}

void Workspace::select_frame_now(uint32_t thread, size_t frame) {
  if (!session || (thread == thread_ && frame == frame_)) return;
  set_selection(thread, frame);
  session->history().visit({.view = {}, .thread = thread, .frame = frame, .address = {}, .file = {}, .line = 0});
}

void Workspace::set_selection(uint32_t thread, size_t frame) {
  thread_ = thread;
  frame_ = frame;
  ++selection_serial_;
}

void Workspace::set_shown(const Place& place) {
  shown_[place.view] = {place, ++place_serial_};
}

void Workspace::forget_target() {
  set_selection(0, 0);
  shown_.clear();
  edited = {};
}

}  // namespace mortem::inspector::app
