// The frames of the selected thread.
#include <fmt/format.h>

#include "inspector/analysis/stack_text.h"
#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

// How a frame was found, where that is worth knowing.
const char* doubt(const Frame& frame) {
  switch (frame.trust) {
    case Trust::Scan:
      return "found by scanning: a guess";
    case Trust::FramePointer:
      return "by frame pointer";
    case Trust::TailCall:
      return "tail call: not on the stack, inferred";
    default:
      return "";
  }
}

std::string place_text(const Frame& frame) {
  if (frame.line != 0) return fmt::format("{}:{}", ui::file_name(frame.file), frame.line);
  if (!frame.module.empty()) return fmt::format("{}+{:#x}", ui::file_name(frame.module), frame.module_offset);
  return "";
}

std::string hover_text(const Frame& frame) {
  std::string text = frame.function.empty() ? "(no name)" : frame.function;
  text += fmt::format("\npc {:#x}", frame.pc);
  if (frame.cfa != 0) text += fmt::format("   frame address {:#x}", frame.cfa);
  if (frame.line != 0) text += fmt::format("\n{}:{}", frame.file, frame.line);
  if (!frame.module.empty()) text += fmt::format("\n{} + {:#x}", frame.module, frame.module_offset);
  text += fmt::format("\nfound by: {}{}", trust_name(frame.trust), frame.inlined ? "; inlined into the next frame" : "");
  if (frame.signal_frame) text += "\na signal or a trap: the next frame was interrupted";
  return text;
}

class StackView : public View {
 public:
  void draw(Workspace& workspace) override {
    const auto stack = workspace.session->stack(workspace.thread());
    if (!stack) return ui::nothing(stack.problem, stack.pending || workspace.thread() == 0, "This thread has no stack");
    handle_arrows(workspace, stack->frames.size());
    filter_.shown = filter_.shown || focus_;
    if (filter_.shown) ui::filter("##filter", "Filter frames", filter_.text, focus_);
    if (!filter_.shown || filter_.text.empty())
      draw_all(workspace, *stack);
    else
      draw_filtered(workspace, *stack);
    ui::text(Tint::Dim, fmt::format("end: {}", stack->end));
  }

  void find() override { focus_ = true; }

  std::string copied(Workspace& workspace) override {
    const auto stack = workspace.session->stack(workspace.thread());
    return stack ? stack_heading(*stack) + "\n" + stack_text(*stack, Folding::Fold, 0) : std::string();
  }

 private:
  void handle_arrows(Workspace& workspace, size_t count) {
    if (!ImGui::IsWindowFocused() || ImGui::GetIO().KeyCtrl || ImGui::GetIO().KeyAlt) return;
    const size_t at = workspace.frame();
    if (ImGui::IsKeyPressed(ImGuiKey_DownArrow) && at + 1 < count) workspace.select_frame(workspace.thread(), at + 1);
    if (ImGui::IsKeyPressed(ImGuiKey_UpArrow) && at > 0) workspace.select_frame(workspace.thread(), at - 1);
    if (ImGui::IsKeyPressed(ImGuiKey_Enter)) workspace.command("view.source");
  }

  // Of 200,000 frames only those on the screen are drawn.
  void draw_all(Workspace& workspace, const Stack& stack) {
    // The selected frame is brought into sight once, when it was selected elsewhere.
    const bool scroll = seen_selection_ != workspace.selection_serial();
    seen_selection_ = workspace.selection_serial();
    ImGuiListClipper clipper;
    clipper.Begin(int(stack.frames.size()), line_height());
    if (scroll && workspace.frame() < stack.frames.size()) clipper.IncludeItemByIndex(int(workspace.frame()));
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index) draw_frame(workspace, stack, index, scroll);
  }

  void draw_filtered(Workspace& workspace, const Stack& stack) {
    size_t shown = 0;
    for (size_t index = 0; index < stack.frames.size() && shown < 2000; ++index) {
      const Frame& frame = stack.frames[index];
      if (!ui::fits_filter(filter_.text, frame.function + " " + frame.file + " " + frame.module)) continue;
      draw_frame(workspace, stack, index, false);
      ++shown;
    }
    if (shown == 0) ui::text(Tint::Dim, "No frame fits");
  }

  static void draw_frame(Workspace& workspace, const Stack& stack, size_t index, bool scroll) {
    const Frame& frame = stack.frames[index];
    const bool selected = index == workspace.frame();
    const std::string id = fmt::format("frame {}", index);
    const float y = ImGui::GetCursorPosY();
    if (ui::row(id, selected)) {
      workspace.select_frame(workspace.thread(), index);
      if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) workspace.command("view.source");
    }
    if (selected && scroll) ImGui::SetScrollHereY();
    if (ImGui::IsItemHovered(ImGuiHoveredFlags_ForTooltip)) ui::tooltip(hover_text(frame));
    if (ui::begin_context_menu(id, frame_text(index, frame))) {
      if (ImGui::MenuItem("Copy the whole stack")) workspace.command("stack.copy");
      if (ImGui::MenuItem("Copy address")) ImGui::SetClipboardText(ui::hex(frame.pc).c_str());
      ImGui::Separator();
      ui::address_menu(workspace, frame.pc);
      ui::end_context_menu();
    }
    const bool known = !frame.function.empty();
    ui::text(Tint::Dim, fmt::format("{:>2}", index));
    ImGui::SameLine();
    ui::text(known ? (frame.line != 0 ? Tint::Text : Tint::Dim) : Tint::Faint, known ? frame.function : ui::hex(frame.pc));
    ImGui::SameLine();
    ui::text(frame.line != 0 ? Tint::Accent : Tint::Faint, place_text(frame));
    const char* unsure = doubt(frame);
    if (frame.inlined || frame.signal_frame || *unsure) {
      ImGui::SameLine();
      ui::text(*unsure ? Tint::Warning : Tint::Dim, *unsure                ? unsure
                                                    : frame.signal_frame ? "signal"
                                                                         : "inlined");
    }
    for (const Recursion& recursion : stack.recursions)
      if (recursion.first == index) {
        ImGui::SameLine();
        ui::text(Tint::Warning, fmt::format("{} frames, {} times", recursion.period, recursion.count));
      }
    ui::end_row(y);
  }

  struct {
    std::string text;
    bool shown = false;
  } filter_;
  bool focus_ = false;
  uint64_t seen_selection_ = 0;
};

void add_stack_commands(Workspace& workspace) {
  workspace.commands.add({.name = "stack.copy",
                          .menu = "Go",
                          .title = "Copy stack as text",
                          .run = [&workspace](const std::string&) -> Result<void> {
                            const auto stack = workspace.session->stack(workspace.thread());
                            if (!stack) return failure(ErrorKind::Unavailable, "the stack is not there yet");
                            ImGui::SetClipboardText(
                                (stack_heading(*stack) + "\n" + stack_text(*stack, Folding::Fold, 0)).c_str());
                            return {};
                          },
                          .unavailable = [&workspace] { return workspace.session ? "" : "nothing is open"; }});
}

const CommandRegistration stack_commands(add_stack_commands);
const ViewRegistration stack_registration{
    {.name = "stack", .title = "Stack", .keys = "Alt+3", .place = 30, .make = make_view<StackView>}};

}  // namespace
}  // namespace mortem::inspector::app
