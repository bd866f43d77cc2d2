#include "inspector/app/toasts.h"

#include <fmt/format.h>
#include <imgui_internal.h>

#include "inspector/app/ui/elements.h"

namespace mortem::inspector::app {
namespace {

constexpr auto kShown = std::chrono::seconds(8);
constexpr size_t kMost = 4;

}  // namespace

void Toasts::collect(const Jobs& jobs, uint64_t& last_seen) {
  uint64_t newest = last_seen;
  for (const JobFacts& job : jobs.list()) {
    if (job.id <= last_seen) continue;
    if (job.state == JobState::Running) break;  // it is looked at again when it has ended, and those behind it
    newest = job.id;
    if (!job.notice && job.state != JobState::Failed) continue;
    toasts_.push_back({job.title, job.text, std::chrono::steady_clock::now()});
    if (toasts_.size() > kMost) toasts_.pop_front();
  }
  last_seen = newest;
}

void Toasts::collect_all(Workspace& workspace) {
  collect(workspace.jobs, last_of_workspace_);
  if (workspace.session) collect(workspace.session->jobs(), last_of_session_);
}

void Toasts::draw(Workspace& workspace, float bottom) {
  const auto now = std::chrono::steady_clock::now();
  while (!toasts_.empty() && now - toasts_.front().since > kShown) toasts_.pop_front();
  if (toasts_.empty()) return;
  workspace.redraw_within = std::min(workspace.redraw_within, 1.0);
  const float width = ImGui::GetFontSize() * 30;
  const ImVec2 size = ImGui::GetIO().DisplaySize;
  float y = bottom - ImGui::GetFontSize();
  for (size_t index = toasts_.size(); index-- > 0;) {
    const Toast& toast = toasts_[index];
    ImGui::SetNextWindowPos(ImVec2(size.x - ImGui::GetFontSize(), y), ImGuiCond_Always, ImVec2(1, 1));
    ImGui::SetNextWindowSize(ImVec2(width, 0));
    ImGui::PushStyleColor(ImGuiCol_Border, colour(Tint::Error));
    ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 1);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 6);
    bool close = false;
    ImGui::Begin(fmt::format("##toast{}", index).c_str(), nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoFocusOnAppearing | ImGuiWindowFlags_NoSavedSettings |
                     ImGuiWindowFlags_NoMove | ImGuiWindowFlags_AlwaysAutoResize);
    ImGui::BringWindowToDisplayFront(ImGui::GetCurrentWindow());
    ui::bold(Tint::Error, toast.title);
    ui::wrapped(Tint::Text, toast.text);
    close = ui::link("dismiss", "Dismiss", Tint::Dim);
    ImGui::SameLine();
    if (ui::link("all", "All messages")) workspace.command("view.jobs");
    y = ImGui::GetWindowPos().y - ImGui::GetFontSize() * 0.5f;
    ImGui::End();
    ImGui::PopStyleVar(2);
    ImGui::PopStyleColor();
    if (close) {
      toasts_.erase(toasts_.begin() + index);
      break;
    }
  }
}

}  // namespace mortem::inspector::app
