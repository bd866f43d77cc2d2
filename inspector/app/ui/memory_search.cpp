#include "inspector/app/ui/memory_search.h"

#include <fmt/format.h>
#include <imgui_internal.h>
#include <imgui_stdlib.h>

#include "inspector/app/ui/elements.h"

namespace mortem::inspector::app::ui {
namespace {

using Kind = SearchQuery::Kind;

const char* kind_name(Kind kind) {
  return kind == Kind::Text ? "text" : kind == Kind::Bytes ? "bytes" : "pointers to";
}

}  // namespace

void MemorySearch::search(Workspace& workspace) {
  SearchQuery query;
  query.kind = kind_;
  query.text = text_;
  job_ = workspace.session->start_search(std::move(query));
  searched_ = text_;
  first_is_wanted_ = true;
}

// To the nearest hit behind or before the selected address, round the ends. False: there is none yet.
bool MemorySearch::step(Workspace& workspace, uint64_t selected, bool forward) {
  const auto results = workspace.session->search_results(job_);
  std::optional<uint64_t> nearest, outermost;
  for (const SearchHit& hit : results->hits) {
    const bool is_ahead = forward ? hit.address > selected : hit.address < selected;
    const auto closer = [forward](uint64_t one, uint64_t other) { return forward ? one < other : one > other; };
    if (is_ahead && (!nearest || closer(hit.address, *nearest))) nearest = hit.address;
    if (!outermost || closer(hit.address, *outermost)) outermost = hit.address;
  }
  const auto to = nearest ? nearest : outermost;
  if (to) workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = to, .file = {}, .line = 0});
  return to.has_value();
}

void MemorySearch::draw_state(Workspace& workspace, const JobFacts& job) {
  ImGui::SameLine();
  if (job.state == JobState::Failed) return ui::text(Tint::Warning, job.text);
  const auto results = workspace.session->search_results(job_);
  const std::string count = fmt::format("{}{} found", results->hits.size(), results->more ? " and more" : "");
  if (job.state != JobState::Running) return ui::text(Tint::Dim, count);
  ui::text(Tint::Dim, fmt::format("{}, {:.0f} %", count, 100 * job.progress.value_or(0)));
  workspace.redraw_within = std::min(workspace.redraw_within, 0.25);
}

void MemorySearch::draw(Workspace& workspace, uint64_t selected) {
  const auto job = job_ != 0 ? workspace.session->jobs().find(job_) : std::nullopt;
  // In address order the first hit behind the selection may come last: it is gone to when all are there.
  if (first_is_wanted_ && job && job->state != JobState::Running) {
    first_is_wanted_ = false;
    if (job->state == JobState::Done) (void)step(workspace, selected, true);
  }
  if (!shown_) return;
  for (const Kind kind : {Kind::Text, Kind::Bytes, Kind::PointersTo}) {
    if (ui::link(kind_name(kind), kind_name(kind), kind_ == kind ? Tint::Text : Tint::Dim)) {
      kind_ = kind;
      searched_.clear();
      focus_ = true;
    }
    ImGui::SameLine();
  }
  ImGui::SetNextItemWidth(ImGui::GetFontSize() * 18);
  // Not SetKeyboardFocusHere: see ui::filter.
  if (std::exchange(focus_, false)) {
    ImGui::FocusWindow(ImGui::GetCurrentWindow());
    ImGui::ActivateItemByID(ImGui::GetID("##search"));
  }
  const bool entered =
      ImGui::InputTextWithHint("##search", "Search, Enter for the next", &text_, ImGuiInputTextFlags_EnterReturnsTrue);
  ImGui::SameLine();
  const bool back = ui::link("back", "previous hit");
  ImGui::SameLine();
  const bool on = ui::link("on", "next hit");
  if (job) draw_state(workspace, *job);
  ImGui::SameLine();
  if (ui::link("close", "×", Tint::Dim)) shown_ = false;
  const bool f3 = ImGui::IsWindowFocused(ImGuiFocusedFlags_ChildWindows) && ImGui::IsKeyPressed(ImGuiKey_F3);
  if (entered) focus_ = true;
  if ((entered || on || f3) && !text_.empty() && searched_ != text_) return search(workspace);
  if (entered || on || back || f3) (void)step(workspace, selected, !back && !(f3 && ImGui::GetIO().KeyShift));
}

}  // namespace mortem::inspector::app::ui
