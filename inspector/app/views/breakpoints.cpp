// Where a live guest is to stop, and the commands that run it.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

constexpr const char* kNotLive = "this is no running guest";

class BreakpointsView : public View {
 public:
  void draw(Workspace& workspace) override {
    Session& session = *workspace.session;
    if (!session.live()) return ui::nothing("", false, "Only a live guest stops at breakpoints");
    ImGui::SetNextItemWidth(-1);
    if (std::exchange(focus_, false)) ImGui::SetKeyboardFocusHere();
    if (ImGui::InputTextWithHint("##where", "A function, FILE:LINE or an address; behind \" if \" a condition", &typed_,
                                 ImGuiInputTextFlags_EnterReturnsTrue) &&
        !typed_.empty()) {
      workspace.command("breakpoint.add", typed_);
      typed_.clear();
    }
    const std::string stop = session.stop_text();
    if (!stop.empty()) ui::text(Tint::Accent, "Stopped: " + stop);
    const auto all = session.breakpoints();
    if (all.empty()) ui::text(Tint::Dim, "No breakpoints");
    for (const BreakpointFacts& one : all) draw_breakpoint(workspace, one);
  }

  void find() override { focus_ = true; }

 private:
  void draw_breakpoint(Workspace& workspace, const BreakpointFacts& one) {
    Session& session = *workspace.session;
    ImGui::PushID(int(one.id));
    bool enabled = one.enabled;
    if (ImGui::Checkbox("##enabled", &enabled)) session.enable_breakpoint(one.id, enabled);
    ImGui::SameLine();
    ui::text(Tint::Dim, fmt::format("{}", one.id));
    ImGui::SameLine();
    ui::text(one.enabled ? Tint::Text : Tint::Faint, one.watches ? fmt::format("writes to {}", one.where) : one.where);
    for (const LivePoint& point : one.points) {
      ImGui::SameLine();
      ui::address(workspace, fmt::format("point {:#x}", point.address), point.address);
    }
    ImGui::SameLine();
    ui::text(Tint::Dim, fmt::format("hit {} {}", one.hits, one.hits == 1 ? "time" : "times"));
    ImGui::SameLine();
    if (ui::link("remove", "Remove")) session.remove_breakpoint(one.id);
    std::string& condition = conditions_.try_emplace(one.id, one.condition).first->second;
    ImGui::SetNextItemWidth(ImGui::GetFontSize() * 24);
    if (ImGui::InputTextWithHint("##condition", "Only if, an expression: i == 7", &condition,
                                 ImGuiInputTextFlags_EnterReturnsTrue))
      session.set_condition(one.id, condition);
    if (!one.problem.empty()) ui::wrapped(Tint::Warning, one.problem);
    ImGui::PopID();
  }

  std::string typed_;
  std::map<uint32_t, std::string> conditions_;
  bool focus_ = false;
};

std::string not_live(const Workspace& workspace) {
  return workspace.session && workspace.session->live() ? "" : kNotLive;
}

std::string not_stopped(const Workspace& workspace) {
  if (const std::string why = not_live(workspace); !why.empty()) return why;
  return workspace.session->phase() == Phase::Stopped ? "" : "it runs";
}

std::string not_of_a_recording(const Workspace& workspace) {
  if (const std::string why = not_stopped(workspace); !why.empty()) return why;
  return workspace.session->runs_backwards() ? "" : "only a recording goes backwards: mortem run --record";
}

std::vector<Suggestion> moments(const Session& session) {
  std::vector<Suggestion> all = {{"crash", "where the program died", "crash"},
                                 {"begin", "the first that is recorded", "begin"},
                                 {"end", "the last that is recorded", "end"}};
  for (const std::string& mark : session.time().marks) {
    const std::string name = mark.substr(0, mark.find(' '));
    all.push_back({name, mark.substr(name.size() + 1) + " instructions", name});
  }
  return all;
}

void add_run_commands(Workspace& workspace) {
  using Why = decltype(Command::unavailable);
  const auto stopped = [&workspace] { return not_stopped(workspace); };
  const auto live = [&workspace] { return not_live(workspace); };
  const auto back = [&workspace] { return not_of_a_recording(workspace); };
  const auto motion = [&](const char* name, const char* title, const char* keys, const char* button, Motion what,
                          Direction direction = Direction::Forwards) {
    workspace.commands.add({.name = name,
                            .menu = "Run",
                            .title = title,
                            .keys = keys,
                            .run = [&workspace, what, direction](const std::string&) -> Result<void> {
                              workspace.session->move(what, workspace.thread(), direction);
                              return {};
                            },
                            .unavailable = direction == Direction::Forwards ? Why(stopped) : Why(back),
                            .button = button});
  };
  motion("run.continue", "Continue", "F5", "Continue", Motion::Continue);
  motion("run.over", "Step over", "F10", "Over", Motion::StepOver);
  motion("run.into", "Step into", "F11", "Into", Motion::StepLine);
  motion("run.out", "Step out", "Shift+F11", "Out", Motion::StepOut);
  motion("run.instruction", "Step one instruction", "", "", Motion::StepInstruction);
  constexpr Direction kBack = Direction::Backwards;
  motion("back.continue", "Continue backwards", "Ctrl+Shift+F5", "Reverse", Motion::Continue, kBack);
  motion("back.over", "Step over backwards", "Ctrl+Shift+F10", "Over back", Motion::StepOver, kBack);
  motion("back.into", "Step into backwards", "Ctrl+Shift+F11", "Into back", Motion::StepLine, kBack);
  motion("back.out", "Step back to the call", "Ctrl+F11", "To the call", Motion::StepOut, kBack);
  motion("back.instruction", "Step one instruction back", "", "", Motion::StepInstruction, kBack);
  workspace.commands.add({.name = "time.go",
                          .menu = "Run",
                          .title = "Go to a moment",
                          .keys = "Ctrl+T",
                          .argument = "A named moment, a position, begin, crash or end",
                          .run = [&workspace](const std::string& place) -> Result<void> {
                            workspace.session->go(place);
                            return {};
                          },
                          .unavailable = back,
                          .suggest = [&workspace](const std::string&) { return moments(*workspace.session); },
                          .typed_first = true});
  workspace.commands.add({.name = "time.mark",
                          .menu = "Run",
                          .title = "Name this moment",
                          .argument = "A name; it stays in the recording's folder",
                          .run = [&workspace](const std::string& name) -> Result<void> {
                            workspace.session->mark_time(name);
                            return {};
                          },
                          .unavailable = back,
                          .typed_first = true});
  workspace.commands.add({.name = "run.interrupt",
                          .menu = "Run",
                          .title = "Interrupt",
                          .keys = "F6",
                          .run = [&workspace](const std::string&) -> Result<void> {
                            workspace.session->interrupt();
                            return {};
                          },
                          .unavailable = [&workspace]() -> std::string {
                            if (const std::string why = not_live(workspace); !why.empty()) return why;
                            return workspace.session->phase() == Phase::Running ? "" : "it is stopped";
                          },
                          .button = "Interrupt"});
  workspace.commands.add({.name = "breakpoint.add",
                          .menu = "Run",
                          .title = "Break at",
                          .keys = "Ctrl+B",
                          .argument = "A function, FILE:LINE or an address; behind \" if \" a condition",
                          .run = [&workspace](const std::string& text) -> Result<void> {
                            const size_t at = text.find(" if ");
                            workspace.session->add_breakpoint(text.substr(0, at),
                                                              at == std::string::npos ? "" : text.substr(at + 4));
                            return {};
                          },
                          .unavailable = live,
                          .typed_first = true});
  workspace.commands.add({.name = "breakpoint.watch",
                          .menu = "Run",
                          .title = "Break when written",
                          .argument = "A variable or an expression of 1, 2, 4 or 8 bytes",
                          .run = [&workspace](const std::string& text) -> Result<void> {
                            workspace.session->add_watchpoint(text, workspace.thread(), workspace.frame());
                            return {};
                          },
                          .unavailable = stopped,
                          .typed_first = true});
  workspace.commands.add({.name = "value.set",
                          .menu = "Run",
                          .title = "Set a variable or a register",
                          .argument = "VARIABLE = EXPRESSION, or $rax = EXPRESSION",
                          .run = [&workspace](const std::string& text) -> Result<void> {
                            const size_t at = text.find('=');
                            if (at == std::string::npos || at == 0)
                              return failure(ErrorKind::BadInput, text + ": is not VARIABLE = EXPRESSION");
                            workspace.session->assign(text.substr(0, at), text.substr(at + 1), workspace.thread(),
                                                      workspace.frame());
                            return {};
                          },
                          .unavailable = stopped,
                          .typed_first = true});
  workspace.commands.add({.name = "run.call",
                          .menu = "Run",
                          .title = "Call a function",
                          .argument = "function(argument, …), integers and pointers",
                          .run = [&workspace](const std::string& text) -> Result<void> {
                            workspace.session->call(text, workspace.thread(), workspace.frame());
                            return {};
                          },
                          .unavailable = stopped,
                          .typed_first = true});
}

const CommandRegistration run_commands(add_run_commands);
const ViewRegistration breakpoints_registration{
    {.name = "breakpoints", .title = "Breakpoints", .place = 150, .make = make_view<BreakpointsView>}};

}  // namespace
}  // namespace mortem::inspector::app
