// All threads: a list, those with equal stacks together, or all stacks merged into one tree.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

enum class Arrangement : int { List, Groups, Tree };

class ThreadsView : public View {
 public:
  void draw(Workspace& workspace) override {
    draw_arrangement();
    ui::filter("##filter", "Filter by name, state, number or place", filter_, focus_);
    ImGui::BeginChild("threads");
    switch (arrangement_) {
      case Arrangement::List:
        draw_list(workspace);
        break;
      case Arrangement::Groups:
        draw_groups(workspace);
        break;
      case Arrangement::Tree:
        draw_tree(workspace);
        break;
    }
    ImGui::EndChild();
  }

  void find() override { focus_ = true; }

  std::string copied(Workspace& workspace) override {
    std::string text;
    for (const ThreadFacts& one : workspace.session->threads())
      text += fmt::format("{}\t{}\t{}\n", one.thread.id, one.thread.name, one.state);
    return text;
  }

 private:
  void draw_arrangement() {
    const auto choice = [this](const char* title, Arrangement which) {
      if (ui::link(title, title, arrangement_ == which ? Tint::Text : Tint::Dim)) arrangement_ = which;
      ImGui::SameLine();
    };
    choice("List", Arrangement::List);
    choice("Equal stacks", Arrangement::Groups);
    choice("Merged tree", Arrangement::Tree);
    ImGui::NewLine();
  }

  static std::string top_of(Workspace& workspace, uint32_t thread) {
    const auto stack = workspace.session->stack(thread);
    if (!stack) return stack.pending ? "…" : "";
    return frame_place_text(telling_frame(*stack));
  }

  void draw_list(Workspace& workspace) {
    const auto threads = workspace.session->threads();
    // Stacks are asked for only where they are seen, or where the filter has to read them.
    const bool deep = !filter_.empty() && threads.size() <= 512;
    std::vector<const ThreadFacts*> shown;
    for (const ThreadFacts& one : threads) {
      std::string words = fmt::format("{} {} {}", one.thread.id, one.thread.name, one.state);
      if (deep) words += " " + top_of(workspace, one.thread.id);
      if (ui::fits_filter(filter_, words)) shown.push_back(&one);
    }
    handle_arrows(workspace, shown);
    size_t name_width = 4, state_width = 4;
    for (const ThreadFacts* one : shown) {
      name_width = std::max(name_width, std::min<size_t>(name_of(*one).size(), 16));
      state_width = std::max(state_width, std::min<size_t>(one->state.size(), 20));
    }
    ImGuiListClipper clipper;
    clipper.Begin(int(shown.size()), line_height());
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index)
        draw_thread(workspace, *shown[index], name_width, state_width);
    if (shown.empty()) ui::text(Tint::Dim, threads.empty() ? "…" : "No thread fits");
  }

  static void handle_arrows(Workspace& workspace, const std::vector<const ThreadFacts*>& shown) {
    if (!ImGui::IsWindowFocused() || ImGui::GetIO().KeyCtrl || ImGui::GetIO().KeyAlt || shown.empty()) return;
    const int step = ImGui::IsKeyPressed(ImGuiKey_DownArrow) ? 1 : ImGui::IsKeyPressed(ImGuiKey_UpArrow) ? -1 : 0;
    if (step == 0) return;
    int at = 0;
    for (size_t index = 0; index < shown.size(); ++index)
      if (shown[index]->thread.id == workspace.thread()) at = int(index);
    workspace.select_thread(shown[size_t(std::clamp(at + step, 0, int(shown.size()) - 1))]->thread.id);
  }

  static std::string name_of(const ThreadFacts& one) { return one.thread.name.empty() ? "(no name)" : one.thread.name; }

  static void draw_thread(Workspace& workspace, const ThreadFacts& one, size_t name_width, size_t state_width) {
    const uint32_t thread = one.thread.id;
    const std::string id = fmt::format("thread {}", thread);
    const float y = ImGui::GetCursorPosY();
    if (ui::row(id, thread == workspace.thread())) workspace.select_thread(thread);
    const std::string top = top_of(workspace, thread);
    if (ImGui::IsItemHovered(ImGuiHoveredFlags_ForTooltip))
      ui::tooltip(fmt::format("thread {} {}\n{}\n{}", thread, one.thread.name, one.state, top));
    if (ui::begin_context_menu(id, fmt::format("{} {} {} {}", thread, one.thread.name, one.state, top)))
      ui::end_context_menu();
    ui::text(Tint::Dim, fmt::format("{:>2}", thread));
    ImGui::SameLine();
    ui::text(Tint::Text, fmt::format("{:<{}.16}", name_of(one), name_width));
    ImGui::SameLine();
    ui::text(one.thread.crashed ? Tint::Error : Tint::Dim, fmt::format("{:<{}.20}", one.state, state_width));
    ImGui::SameLine();
    ui::text(Tint::Accent, top);
    ui::end_row(y);
  }

  void draw_groups(Workspace& workspace) {
    const auto groups = workspace.session->thread_groups();
    if (!groups) return ui::nothing(groups.problem, groups.pending, "No stacks");
    for (size_t index = 0; index < groups->size(); ++index) {
      const ThreadGroup& group = (*groups)[index];
      if (filter_.empty() && ui::skip_row()) continue;
      const std::string numbers = fmt::format("{}", fmt::join(group.threads, " "));
      if (!ui::fits_filter(filter_, fmt::format("{} {}", group.place, numbers))) continue;
      const bool has = std::find(group.threads.begin(), group.threads.end(), workspace.thread()) != group.threads.end();
      const float y = ImGui::GetCursorPosY();
      if (ui::row(fmt::format("group {}", index), has)) workspace.select_thread(group.threads.front());
      ui::text(Tint::Dim, fmt::format("{:>3} ×", group.threads.size()));
      ImGui::SameLine();
      ui::text(Tint::Text, group.place);
      ImGui::SameLine();
      ui::text(Tint::Dim, fmt::format("{:.60}{}", numbers, numbers.size() > 60 ? "…" : ""));
      ui::end_row(y);
    }
  }

  void draw_tree(Workspace& workspace) {
    const auto root = workspace.session->parallel_stacks();
    if (!root) return ui::nothing(root.problem, root.pending, "No stacks");
    int number = 0;
    for (const ParallelFrame& frame : root->callees) draw_merged(workspace, frame, 0, number);
  }

  // One child only: the same column goes on, as a stack does; several: each a step to the right.
  void draw_merged(Workspace& workspace, const ParallelFrame& frame, unsigned depth, int& number) {
    if (filter_.empty() && ui::skip_row())
      ++number;
    else
      draw_merged_row(workspace, frame, depth, number);
    if (depth > 200) return;
    const unsigned below = frame.callees.size() > 1 ? depth + 1 : depth;
    for (const ParallelFrame& callee : frame.callees) draw_merged(workspace, callee, below, number);
  }

  void draw_merged_row(Workspace& workspace, const ParallelFrame& frame, unsigned depth, int& number) {
    const std::string name = frame.function.empty() ? ui::hex(frame.pc) : frame.function;
    const std::string place = frame.line != 0 ? fmt::format("{}:{}", ui::file_name(frame.file), frame.line) : "";
    if (ui::fits_filter(filter_, fmt::format("{} {}", name, place))) {
      const bool has = std::find(frame.threads.begin(), frame.threads.end(), workspace.thread()) != frame.threads.end();
      const float y = ImGui::GetCursorPosY();
      if (ui::row(fmt::format("merged {}", number++), false)) workspace.select_thread(frame.threads.front());
      ui::text(Tint::Dim, fmt::format("{:{}}{:>3}", "", depth * 2, frame.threads.size()));
      ImGui::SameLine();
      ui::text(has ? Tint::Text : Tint::Dim, name);
      ImGui::SameLine();
      ui::text(Tint::Accent, place);
      if (!frame.ending.empty()) {
        ImGui::SameLine();
        ui::text(Tint::Dim, fmt::format("← thread {}", fmt::join(frame.ending, " ")));
      }
      ui::end_row(y);
    }
  }

  Arrangement arrangement_ = Arrangement::List;
  std::string filter_;
  bool focus_ = false;
};

const ViewRegistration threads_registration{
    {.name = "threads", .title = "Threads", .keys = "Alt+2", .place = 20, .make = make_view<ThreadsView>}};

}  // namespace
}  // namespace mortem::inspector::app
