// The variables of the selected frame as typed trees, and expressions that are watched.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>

#include "inspector/app/ui/elements.h"
#include "inspector/app/ui/value_tree.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

class VariablesView : public View {
 public:
  void draw(Workspace& workspace) override {
    if (filtering_) ui::filter("##filter", "Filter variables", filter_, focus_);  // also while they are looked for
    const auto variables = workspace.session->variables(workspace.thread(), workspace.frame());
    if (!variables)
      return ui::nothing(variables.problem, variables.pending || workspace.thread() == 0, "This frame has no variables");
    if (variables->empty()) return ui::text(Tint::Dim, "This frame has no variables");
    if (!ui::begin_value_table("variables")) return;
    for (size_t index = 0; index < variables->size(); ++index) {
      const VariableFacts& one = (*variables)[index];
      if (!ui::fits_filter(filter_, one.value.name)) continue;
      ImGui::PushID(int(index));
      const Tint tint = one.shadowed ? Tint::Faint : one.parameter ? Tint::Accent : Tint::Text;
      ui::value_row(workspace, one.value, one.shadowed ? std::string() : one.value.name, tint);
      ImGui::PopID();
    }
    ImGui::EndTable();
  }

  void find() override { filtering_ = focus_ = true; }

  std::string copied(Workspace& workspace) override {
    std::string text;
    const auto variables = workspace.session->variables(workspace.thread(), workspace.frame());
    if (variables)
      for (const VariableFacts& one : *variables)
        text += fmt::format("{} {} = {}\n", one.value.type, one.value.name, one.value.text);
    return text;
  }

 private:
  std::string filter_;
  bool filtering_ = false, focus_ = false;
};

class WatchView : public View {
 public:
  void draw(Workspace& workspace) override {
    ImGui::SetNextItemWidth(-1);
    if (std::exchange(focus_, false)) ImGui::SetKeyboardFocusHere();
    if (ImGui::InputTextWithHint("##add", "Add an expression: conn->name, *array@4, $rsp + 8", &typed_,
                                 ImGuiInputTextFlags_EnterReturnsTrue) &&
        !typed_.empty()) {
      workspace.command("watch.add", typed_);
      typed_.clear();
      focus_ = true;
    }
    const auto& watches = workspace.settings.watches;
    if (watches.empty() || !ui::begin_value_table("watches")) return;
    for (size_t index = 0; index < watches.size(); ++index) {
      ImGui::PushID(int(index));
      const auto value = workspace.session->watch(watches[index], workspace.thread(), workspace.frame());
      ValueFacts shown;
      if (value)
        shown = *value;
      else
        shown.known = false, shown.text = value.pending ? "…" : value.problem;
      shown.name = watches[index];
      ui::value_row(workspace, shown, watches[index], Tint::Text);
      ImGui::SameLine();
      if (ui::link("remove", "×", Tint::Dim)) workspace.command("watch.remove", watches[index]);
      ImGui::PopID();
    }
    ImGui::EndTable();
  }
  void find() override { focus_ = true; }

 private:
  std::string typed_;
  bool focus_ = false;
};

void add_watch_commands(Workspace& workspace) {
  workspace.commands.add({.name = "watch.add",
                          .menu = "View",
                          .title = "Watch an expression",
                          .argument = "An expression: conn->name, *array@4, $rsp + 8",
                          .run = [&workspace](const std::string& text) -> Result<void> {
                            auto& watches = workspace.settings.watches;
                            if (std::find(watches.begin(), watches.end(), text) == watches.end()) watches.push_back(text);
                            workspace.command("view.watch");
                            return {};
                          }});
  workspace.commands.add({.name = "watch.remove",
                          .menu = {},
                          .title = "Watch an expression no more",
                          .argument = "The expression, as it was added",
                          .run = [&workspace](const std::string& text) -> Result<void> {
                            if (std::erase(workspace.settings.watches, text) == 0)
                              return failure(ErrorKind::NotFound, fmt::format("'{}' is not watched", text));
                            return {};
                          }});
}

const CommandRegistration watch_commands(add_watch_commands);
const ViewRegistration variables_registration{
    {.name = "variables", .title = "Variables", .keys = "Alt+7", .place = 60, .make = make_view<VariablesView>}};
const ViewRegistration watch_registration{{.name = "watch", .title = "Watch", .place = 65, .make = make_view<WatchView>}};

}  // namespace
}  // namespace mortem::inspector::app
