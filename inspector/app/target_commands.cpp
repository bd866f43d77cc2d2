// What can be done with a target as a whole: a dump or a copy of a running guest, and going on from a copy or a dump.
#include <fmt/format.h>

#include "inspector/app/workspace.h"

namespace mortem::inspector::app {
namespace {

constexpr const char* kNotOfThisProgram = "this program cannot do that";

// Null: there is a target that can be asked.
const char* not_ready(const Workspace& workspace) {
  const Session* session = workspace.session.get();
  if (!session) return "nothing is open";
  if (session->phase() == Phase::Opening) return "it is being opened";
  return session->phase() == Phase::Failed ? "the target could not be opened" : nullptr;
}

// Asked for once for each target: buttons and menus ask in every frame.
class Reason {
 public:
  Reason(Workspace& workspace, TargetActions::Why TargetActions::*which) : workspace_(workspace), which_(which) {}
  std::string operator()() {
    if (const char* why = not_ready(workspace_); why != nullptr) return why;
    const Session* session = workspace_.session.get();
    const TargetActions::Why& why = workspace_.actions.*which_;
    if (!why) return kNotOfThisProgram;
    if (known_ && target_ == session->target() && live_ == session->live()) return text_;
    known_ = true;
    target_ = session->target();
    live_ = session->live();
    return text_ = why(target_, live_);
  }

 private:
  Workspace& workspace_;
  TargetActions::Why TargetActions::*which_;
  bool known_ = false, live_ = false;
  std::string target_, text_;
};

void open_when_done(Workspace& workspace, const std::string& target) {
  if (!target.empty()) workspace.later_from_job([&workspace, target] { workspace.command("file.open", target); });
}

Result<void> write_dump(Workspace& workspace, const std::string& answer) {
  if (answer != "yes") return {};
  Session& session = *workspace.session;
  session.jobs().start("dump of " + session.target(), [&workspace, &session](JobControl& job) -> Result<void> {
    const auto ask = [&] { return session.write_dump(job); };
    const std::string file = TRY(workspace.actions.dump(session.target(), ask, job));
    job.tell("the dump is in " + file);
    open_when_done(workspace, file);
    return {};
  });
  return {};
}

Result<void> make_clone(Workspace& workspace, const std::string& folder) {
  workspace.jobs.start("clone of " + workspace.session->target(),
                       [&workspace, target = workspace.session->target(), folder](JobControl& job) -> Result<void> {
                         const std::string made = TRY(workspace.actions.clone(target, folder, job));
                         // It stands on the first page from now on; the guest stays in the window.
                         workspace.later_from_job([&workspace, made] { workspace.settings.remember(made); });
                         return {};
                       });
  workspace.command("view.jobs");
  return {};
}

Result<void> resume(Workspace& workspace) {
  workspace.jobs.start("resume " + workspace.session->target(),
                       [&workspace, target = workspace.session->target()](JobControl& job) -> Result<void> {
                         const std::string guest = TRY(workspace.actions.resume(target, job));
                         job.tell(guest + " stands at that moment; F5 lets it go on");
                         open_when_done(workspace, guest);
                         return {};
                       });
  return {};
}

void add_target_commands(Workspace& workspace) {
  workspace.commands.add({.name = "target.dump",
                          .menu = "Run",
                          .title = "Dump",
                          .argument = "Sure? With its dump the program ends, or starts again, as after a crash",
                          .run = [&workspace](const std::string& answer) { return write_dump(workspace, answer); },
                          .unavailable = Reason(workspace, &TargetActions::no_dump),
                          .suggest =
                              [](const std::string&) {
                                return std::vector<Suggestion>{
                                    {"Write the dump", "the program ends, or starts again, as after a crash", "yes"},
                                    {"Leave it as it is", "a clone is a copy of it that does no harm", "no"}};
                              },
                          .button = "Dump"});
  workspace.commands.add({.name = "target.clone",
                          .menu = "Run",
                          .title = "Clone",
                          .argument = "A new folder for the copy; the guest stands still for some milliseconds",
                          .run = [&workspace](const std::string& folder) { return make_clone(workspace, folder); },
                          .unavailable = Reason(workspace, &TargetActions::no_clone),
                          .button = "Clone",
                          .typed_first = true});
  workspace.commands.add({.name = "target.resume",
                          .menu = "Run",
                          .title = "Resume: a guest that goes on from this moment",
                          .run = [&workspace](const std::string&) { return resume(workspace); },
                          .unavailable = [&workspace]() -> std::string {
                            if (const char* why = not_ready(workspace); why != nullptr) return why;
                            if (workspace.session->live()) return "it runs already";
                            return workspace.actions.resume ? workspace.session->why_not_resumed() : kNotOfThisProgram;
                          },
                          .button = "Resume"});
}

const CommandRegistration target_commands(add_target_commands);

}  // namespace
}  // namespace mortem::inspector::app
