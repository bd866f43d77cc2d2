// The drawer: what takes long, with a way to stop it, and everything that went wrong.
#include <fmt/format.h>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

Tint tint_of(const JobFacts& job) {
  switch (job.state) {
    case JobState::Running:
      return Tint::Accent;
    case JobState::Done:
      return job.notice ? Tint::Warning : Tint::Good;
    case JobState::Failed:
      return Tint::Error;
    case JobState::Cancelled:
      return Tint::Dim;
  }
  return Tint::Text;
}

class JobsView : public View {
 public:
  void draw(Workspace& workspace) override {
    if (ui::link("clear", "Clear what has ended")) {
      workspace.jobs.clear_ended();
      if (workspace.session) workspace.session->jobs().clear_ended();
    }
    if (workspace.session && workspace.session->analysis_busy()) {
      ui::text(Tint::Accent, "Reading " + workspace.session->analysis_text());
      ImGui::SameLine();
      if (ui::link("break", "stop it")) workspace.session->break_off_analysis();
    }
    const size_t here = draw_list(workspace.jobs, "application");
    const size_t there = workspace.session ? draw_list(workspace.session->jobs(), "session") : 0;
    if (here + there == 0) ui::text(Tint::Dim, "No jobs, no errors");
  }

 private:
  static size_t draw_list(Jobs& jobs, const char* id) {
    const std::vector<JobFacts> list = jobs.list();
    ImGui::PushID(id);
    for (size_t index = list.size(); index-- > 0;) {
      const JobFacts& job = list[index];
      ImGui::PushID(int(job.id));
      ui::text(tint_of(job), job.notice ? "message" : job_state_text(job.state));
      ImGui::SameLine(ImGui::GetFontSize() * 6);
      ui::text(Tint::Text, job.title);
      if (job.state == JobState::Running) {
        ImGui::SameLine();
        ImGui::ProgressBar(job.progress ? float(*job.progress) : -0.4f, ImVec2(ImGui::GetFontSize() * 12, line_height()));
        ImGui::SameLine();
        if (ui::link("cancel", "cancel")) jobs.cancel(job.id);
      }
      if (!job.text.empty()) {
        ImGui::Indent(ImGui::GetFontSize() * 6 - 10);
        ui::wrapped(Tint::Dim, job.text);
        if (ui::begin_context_menu("text", job.text)) ui::end_context_menu();
        ImGui::Unindent(ImGui::GetFontSize() * 6 - 10);
      }
      ImGui::PopID();
    }
    ImGui::PopID();
    return list.size();
  }
};

const ViewRegistration jobs_registration{{.name = "jobs",
                                          .title = "Jobs and errors",
                                          .place = 200,
                                          .needs_target = false,
                                          .make = make_view<JobsView>}};

}  // namespace
}  // namespace mortem::inspector::app
