// The first page: what was opened before, which guests run here, and a field for anything else.
#include <fmt/format.h>
#include <imgui_stdlib.h>

#include <chrono>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

class WelcomeView : public View {
 public:
  void draw(Workspace& workspace) override {
    const float indent = ImGui::GetFontSize() * 2;
    ImGui::Indent(indent);
    ImGui::Dummy(ImVec2(0, ImGui::GetFontSize()));
    ui::bold(Tint::Text, "Mortem");
    ui::text(Tint::Dim, "Open a crash, and see it");
    ImGui::Dummy(ImVec2(0, ImGui::GetFontSize() * 0.5f));
    ImGui::SetNextItemWidth(std::min(ImGui::GetContentRegionAvail().x - indent, ImGui::GetFontSize() * 44));
    const bool entered = ImGui::InputTextWithHint("##target", "Path of a dump or core, or a guest's name; or drop a file here",
                                                  &target_, ImGuiInputTextFlags_EnterReturnsTrue);
    ImGui::SameLine();
    if ((ImGui::Button("Open") || entered) && !target_.empty()) workspace.command("file.open", target_);
    if (ui::link("browse", "Browse files and all targets")) workspace.command("file.open");
    draw_guests(workspace);
    draw_recent(workspace);
    ImGui::Unindent(indent);
  }

 private:
  void draw_guests(Workspace& workspace) {
    ui::heading("Guests that run here");
    const auto now = std::chrono::steady_clock::now();
    if (workspace.running_guests && now - looked_ > std::chrono::seconds(2)) {
      looked_ = now;
      guests_ = workspace.running_guests();
    }
    workspace.redraw_within = std::min(workspace.redraw_within, 2.0);
    if (guests_.empty()) ui::text(Tint::Dim, "None. Start one with: mortem run PROGRAM --detach");
    for (const Guest& guest : guests_) {
      if (ui::link("guest " + guest.name, guest.name)) workspace.command("file.open", guest.name);
      ImGui::SameLine();
      ui::text(Tint::Dim, guest.program);
    }
  }

  void draw_recent(Workspace& workspace) {
    ui::heading("Opened before");
    if (workspace.settings.recent.empty()) ui::text(Tint::Dim, "Nothing yet");
    for (const std::string& recent : workspace.settings.recent) {
      std::error_code ignored;
      const bool is_path = recent.find('/') != std::string::npos;
      const bool gone = is_path && !std::filesystem::exists(recent, ignored);
      if (ui::link(recent, ui::file_name(recent), gone ? Tint::Faint : Tint::Accent)) workspace.command("file.open", recent);
      if (!is_path) continue;
      ImGui::SameLine();
      ui::text(Tint::Dim, std::filesystem::path(recent).parent_path().string() + (gone ? "  (is gone)" : ""));
    }
  }

  std::string target_;
  std::vector<Guest> guests_;
  std::chrono::steady_clock::time_point looked_{};
};

const ViewRegistration welcome_registration{{.name = "welcome",
                                             .title = "Welcome",
                                             .place = 1,
                                             .needs_target = false,
                                             .make = make_view<WelcomeView>}};

}  // namespace
}  // namespace mortem::inspector::app
