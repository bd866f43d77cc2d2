// The goroutines of a Go program.
#include <fmt/format.h>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

class GoroutinesView : public View {
 public:
  void draw(Workspace& workspace) override {
    const auto goroutines = workspace.session->goroutines();
    if (goroutines || goroutines.pending) ui::filter("##filter", "Filter", filter_, focus_);
    if (!goroutines) return ui::nothing(goroutines.problem, goroutines.pending, "No goroutines: not a Go program");
    ImGui::BeginChild("list");
    for (const std::string& problem : goroutines->problems) ui::wrapped(Tint::Warning, problem);
    if (shown_ != goroutines.value) {
      shown_ = goroutines.value;
      places_.clear();
      for (const Goroutine& one : goroutines->all) places_.push_back(frame_place_text(telling_frame(one.stack)));
    }
    for (size_t index = 0; index < goroutines->all.size(); ++index)
      draw_one(workspace, goroutines->all[index], places_[index]);
    ImGui::EndChild();
  }
  void find() override { focus_ = true; }

 private:
  void draw_one(Workspace& workspace, const Goroutine& one, const std::string& place) {
    if (!filter_.empty() &&
        !ui::fits_filter(filter_, fmt::format("{} {} {} {}", one.id, one.state, one.wait_reason, place)))
      return;
    const std::string id = fmt::format("goroutine {}", one.id);
    // There may be a hundred thousand: those out of sight cost nothing but their place, unless they are open.
    const bool is_open = ImGui::GetStateStorage()->GetInt(ImGui::GetID(id.c_str()), one.panic.empty() ? 0 : 1) != 0;
    if (!is_open && !ImGui::IsRectVisible(ImVec2(1, ImGui::GetTextLineHeight())))
      return ImGui::Dummy(ImVec2(0, ImGui::GetTextLineHeight()));
    const bool open = ImGui::TreeNodeEx(id.c_str(), one.panic.empty() ? 0 : ImGuiTreeNodeFlags_DefaultOpen);
    ImGui::SameLine();
    ui::text(one.panic.empty() ? Tint::Dim : Tint::Error, one.wait_reason.empty() ? one.state : one.wait_reason);
    if (one.thread) {
      ImGui::SameLine();
      if (ui::link(id + " thread", fmt::format("thread {}", *one.thread))) workspace.select_thread(*one.thread);
    }
    ImGui::SameLine();
    ui::text(Tint::Accent, place);
    if (!open) return;
    if (!one.panic.empty()) ui::wrapped(Tint::Error, "panic: " + one.panic);
    for (size_t index = 0; index < one.stack.frames.size(); ++index) {
      const Frame& frame = one.stack.frames[index];
      ui::text(Tint::Dim, fmt::format("{:>2}", index));
      ImGui::SameLine();
      ui::text(Tint::Text, frame.function);
      ImGui::SameLine();
      if (frame.line != 0 &&
          ui::link(fmt::format("{} {}", id, index), fmt::format("{}:{}", ui::file_name(frame.file), frame.line)))
        workspace.go(
            {.view = "source", .thread = 0, .frame = 0, .address = frame.pc, .file = frame.file, .line = frame.line});
      else if (frame.line == 0)
        ImGui::NewLine();
    }
    if (!one.created_by.function.empty()) ui::text(Tint::Dim, "created by " + one.created_by.function);
    ImGui::TreePop();
  }

  std::shared_ptr<const Goroutines> shown_;
  std::vector<std::string> places_;  // of shown_'s
  std::string filter_;
  bool focus_ = false;
};

const ViewRegistration goroutines_registration{
    {.name = "goroutines", .title = "Goroutines", .place = 25, .make = make_view<GoroutinesView>}};

}  // namespace
}  // namespace mortem::inspector::app
