// What stands around the tiles: menus and buttons above, what is open and what goes on below, the keys.
#include <fmt/format.h>
#include <imgui_internal.h>

#include <algorithm>
#include <set>

#include "inspector/app/application.h"
#include "inspector/app/ui/elements.h"

namespace mortem::inspector::app {
namespace {

constexpr const char* kMenus[] = {"File", "Go", "Run", "View", "Layout", "Help"};

void draw_entries(Workspace& workspace, std::string_view menu) {
  for (const Command& command : workspace.commands.all()) {
    if (command.menu != menu) continue;
    const std::string why = unavailable(command);
    const std::string keys = command.keys.substr(0, command.keys.find(' '));
    const std::string title = command.title + (command.argument.empty() ? "" : "…");
    if (ImGui::MenuItem(title.c_str(), keys.c_str(), false, why.empty())) workspace.command(command.name);
    if (!why.empty()) ui::tooltip(why);
  }
}

// In a recording.
std::string position_text(const Session& session) {
  const TimeFacts time = session.time();
  if (!time.position) return {};
  std::string text = fmt::format("   instruction {}", *time.position);
  if (time.first && time.last) text += fmt::format(" of {} to {}", *time.first, *time.last);
  return text;
}

std::string phase_text(const Session& session) {
  switch (session.phase()) {
    case Phase::Opening:
      return "opening…";
    case Phase::Stopped:
      if (!session.live()) return "";
      return (session.stop_text().empty() ? "stopped" : "stopped: " + session.stop_text()) + position_text(session);
    case Phase::Running:
      return "running";
    case Phase::Ended:
      return "has ended";
    case Phase::Failed:
      return "could not be opened";
  }
  return {};
}

}  // namespace

void Application::draw() {
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  draw_menu();
  const float top = ImGui::GetFrameHeight(), bottom = display.y - std::floor(ImGui::GetFontSize() * 1.7f);
  ImGui::SetNextWindowPos(ImVec2(0, top));
  ImGui::SetNextWindowSize(ImVec2(display.x, display.y - top));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0);
  ImGui::Begin("##all", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                   ImGuiWindowFlags_NoBringToFrontOnFocus | ImGuiWindowFlags_NoScrollWithMouse);
  ImGui::PopStyleVar(2);
  tiles_.draw(ImVec2(0, top), ImVec2(display.x, bottom));
  ImGui::SetCursorScreenPos(ImVec2(ImGui::GetFontSize() * 0.7f, bottom + ImGui::GetFontSize() * 0.3f));
  draw_status();
  ImGui::End();
  toasts_.collect_all(workspace_);
  toasts_.draw(workspace_, bottom);
  palette_.draw();
  if (help_shown_) draw_help();
}

void Application::draw_menu() {
  if (!ImGui::BeginMainMenuBar()) return;
  for (const char* menu : kMenus) {
    const auto& all = workspace_.commands.all();
    const bool any = std::any_of(all.begin(), all.end(), [&](const Command& one) { return one.menu == menu; });
    if (!any || !ImGui::BeginMenu(menu)) continue;
    draw_entries(workspace_, menu);
    ImGui::EndMenu();
  }
  draw_buttons();
  ImGui::EndMainMenuBar();
}

// Commands that have a button, where the target allows them.
void Application::draw_buttons() {
  float width = 0;
  std::vector<const Command*> shown;
  for (const Command& command : workspace_.commands.all()) {
    if (command.button.empty() || !unavailable(command).empty()) continue;
    shown.push_back(&command);
    width += ImGui::CalcTextSize(command.button.c_str()).x + ImGui::GetFontSize() * 1.5f;
  }
  const std::string hint = "F1  all commands    ?  keys";
  width += ImGui::CalcTextSize(hint.c_str()).x + ImGui::GetFontSize();
  ImGui::SetCursorPosX(std::max(ImGui::GetCursorPosX(), ImGui::GetWindowWidth() - width));
  for (const Command* command : shown) {
    if (ImGui::SmallButton(command->button.c_str())) workspace_.command(command->name);
    ui::tooltip(fmt::format("{}  {}", command->title, command->keys));
  }
  ui::text(Tint::Faint, hint);
}

void Application::draw_status() {
  const Session* session = workspace_.session.get();
  if (!session) {
    ui::text(Tint::Dim, "Nothing is open: Ctrl+O opens a dump, a core or a guest");
    return;
  }
  ui::bold(Tint::Text, ui::file_name(session->target()));
  ui::tooltip(session->target());
  const auto part = [](Tint tint, const std::string& text) {
    if (text.empty()) return;
    ImGui::SameLine(0, ImGui::GetFontSize() * 1.2f);
    ui::text(tint, text);
  };
  part(session->phase() == Phase::Failed ? Tint::Error : Tint::Accent, phase_text(*session));
  if (workspace_.thread() != 0)
    part(Tint::Dim, fmt::format("thread {}, frame {}", workspace_.thread(), workspace_.frame()));
  if (session->busy()) {
    part(Tint::Dim, session->analysis_busy() ? session->analysis_text() : "reading");
    workspace_.redraw_within = std::min(workspace_.redraw_within, 0.25);
  }
  const auto running = [](const std::vector<JobFacts>& jobs) {
    std::string text;
    for (const JobFacts& job : jobs)
      if (job.state == JobState::Running)
        text = job.progress ? fmt::format("{} {:.0f} %", job.title, *job.progress * 100) : job.title + "…";
    return text;
  };
  const std::string job = running(workspace_.session->jobs().list());
  if (!job.empty()) {
    ImGui::SameLine(0, ImGui::GetFontSize() * 1.2f);
    if (ui::link("jobs", job)) workspace_.command("view.jobs");
  }
}

void Application::draw_help() {
  ImGui::SetNextWindowPos(ImVec2(ImGui::GetIO().DisplaySize.x / 2, ImGui::GetIO().DisplaySize.y / 2), ImGuiCond_Always,
                          ImVec2(0.5f, 0.5f));
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colour(Tint::Raised));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 1);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 8);
  ImGui::SetNextWindowFocus();
  ImGui::Begin("##keys", &help_shown_,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoSavedSettings |
                   ImGuiWindowFlags_NoMove);
  ui::bold(Tint::Text, "Keys");
  ImGui::SameLine();
  ui::text(Tint::Dim, "(Escape closes this; what is dim cannot be done now)");
  if (ImGui::BeginTable("##table", 2, ImGuiTableFlags_SizingFixedFit)) {
    for (const char* menu : kMenus) {
      for (const Command& command : workspace_.commands.all()) {
        if (command.menu != menu || command.keys.empty()) continue;
        // Two entries a row.
        ImGui::TableNextColumn();
        const bool can = unavailable(command).empty();
        ui::text(can ? Tint::Accent : Tint::Faint, fmt::format("{:<24}", command.keys));
        ImGui::SameLine();
        ui::text(can ? Tint::Text : Tint::Faint, command.title);
      }
    }
    ImGui::EndTable();
  }
  ImGui::End();
  ImGui::PopStyleVar(2);
  ImGui::PopStyleColor();
}

}  // namespace mortem::inspector::app
