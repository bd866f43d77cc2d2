// The source text around the selected frame, or around a place that was asked for.
#include <fmt/format.h>

#include <cmath>

#include "inspector/app/ui/code_line.h"
#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

class SourceView : public View {
 public:
  void draw(Workspace& workspace) override {
    const auto stack = workspace.session->stack(workspace.thread());
    follow(workspace, stack);
    if (file_.empty()) return ui::nothing(stack.problem, stack.pending, "No source is known for this frame");
    const auto source = workspace.session->source(file_, pc_);
    draw_heading(workspace, source);
    if (!source) return ui::nothing(source.problem, source.pending, "The source text is nowhere on this machine");
    if (source->newer) ui::text(Tint::Warning, "This file was changed after the program was built: lines may not fit");
    if (shown_text_ != source.value) {
      shown_text_ = source.value;
      find_open_texts(*source);
      scroll_ = true;
    }
    if (searching_) draw_search(*source);
    draw_text(workspace, *source, stack);
  }

  void find() override { searching_ = focus_ = true; }

  std::string copied(Workspace&) override {
    return shown_text_ && line_ > 0 && line_ <= shown_text_->lines.size() ? shown_text_->lines[line_ - 1]
                                                                          : std::string();
  }

 private:
  void show(const std::string& file, uint32_t line, uint64_t pc) {
    scroll_ = scroll_ || file != file_ || line != line_;
    file_ = file;
    line_ = line;
    pc_ = pc;
  }

  // The last that happened counts: a selection, or a place that was asked for.
  void follow(Workspace& workspace, const Answer<Stack>& stack) {
    const ShownPlace& asked = workspace.shown("source");
    if (asked.serial != seen_place_) {
      seen_place_ = asked.serial;
      seen_selection_ = workspace.selection_serial();
      show(asked.place.file, asked.place.line, asked.place.address.value_or(0));
    }
    // Of a new selection the stack may not be there yet, or still be that of the stop before.
    if (workspace.selection_serial() == seen_selection_ || !stack || stack.pending) return;
    if (workspace.frame() >= stack->frames.size()) return;
    seen_selection_ = workspace.selection_serial();
    const Frame& frame = stack->frames[workspace.frame()];
    show(frame.file, frame.line, frame.pc);
  }

  void draw_heading(Workspace& workspace, const Answer<SourceFile>& source) {
    ui::text(Tint::Text, ui::short_path(file_, 40));
    ui::tooltip(source ? fmt::format("{}\nread from {}", file_, source->from.string()) : file_);
    if (ui::begin_context_menu("file", file_)) ui::end_context_menu();
    ImGui::SameLine();
    if (ui::link("code", "code")) {
      workspace.go({.view = "disassembly", .thread = 0, .frame = 0, .address = pc_, .file = {}, .line = 0});
    }
  }

  // Where a comment is open at a line's beginning: found once a file.
  void find_open_texts(const SourceFile& source) {
    const Language language = language_of(source.file);
    open_.clear();
    OpenText open = OpenText::None;
    for (const std::string& line : source.lines) {
      open_.push_back(open);
      (void)highlight(language, line, open);
    }
  }

  void draw_search(const SourceFile& source) {
    if (ui::filter("##find", "Find text; Enter for the next", search_, focus_))
      find_text(source, line_ > 0 ? line_ : 1);
    if (ImGui::IsItemDeactivated() && ImGui::IsKeyPressed(ImGuiKey_Enter)) {
      find_text(source, line_ + 1);
      focus_ = true;
    }
    if (ImGui::IsKeyPressed(ImGuiKey_F3)) find_text(source, line_ + 1);
  }

  void find_text(const SourceFile& source, size_t from) {
    if (search_.empty()) return;
    for (size_t step = 0; step < source.lines.size(); ++step) {
      const size_t index = (from - 1 + step) % source.lines.size();
      if (!ui::fits_filter(search_, source.lines[index])) continue;
      line_ = uint32_t(index + 1);
      scroll_ = true;
      return;
    }
  }

  ui::LineMark mark_of(Workspace& workspace, const Answer<Stack>& stack, uint32_t line) const {
    ui::LineMark mark = ui::LineMark::None;
    if (!stack) return mark;
    for (size_t index = 0; index < std::min<size_t>(stack->frames.size(), 1000); ++index) {
      const Frame& frame = stack->frames[index];
      if (frame.line != line || frame.file != file_) continue;
      if (index == workspace.frame()) return ui::LineMark::Current;
      mark = ui::LineMark::OtherFrame;
    }
    return mark;
  }

  void draw_text(Workspace& workspace, const SourceFile& source, const Answer<Stack>& stack) {
    ImGui::BeginChild("text", ImVec2(0, 0), 0, ImGuiWindowFlags_HorizontalScrollbar);
    const Language language = language_of(source.file);
    const unsigned digits = unsigned(fmt::formatted_size("{}", source.lines.size()));
    if (std::exchange(scroll_, false) && line_ > 0) {
      const float visible = ImGui::GetWindowHeight() / line_height();
      ImGui::SetScrollY(std::max(0.0f, (float(line_) - visible / 2) * line_height()));
    }
    const std::vector<BreakpointFacts> breakpoints = workspace.session->breakpoints();
    std::string name;
    ImGuiListClipper clipper;
    clipper.Begin(int(source.lines.size()), line_height());
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index) {
        const uint32_t number = uint32_t(index + 1);
        ui::LineMark mark = mark_of(workspace, stack, number);
        if (mark == ui::LineMark::None && number == line_) mark = ui::LineMark::OtherFrame;
        OpenText open = open_[size_t(index)];
        const std::string place = fmt::format("{}:{}", ui::file_name(file_), number);
        const BreakpointFacts* breakpoint = nullptr;
        for (const BreakpointFacts& one : breakpoints)
          if (!one.watches && one.where == place) breakpoint = &one;
        const ui::CodeLine line{.text = source.lines[size_t(index)],
                                .number = number,
                                .digits = digits,
                                .mark = mark,
                                .breakpoint = breakpoint != nullptr,
                                .language = language};
        const std::string under_mouse = ui::code_line(line, open);
        if (workspace.session->live() && ui::line_number_clicked(line)) {
          if (breakpoint)
            workspace.session->remove_breakpoint(breakpoint->id);
          else
            workspace.session->add_breakpoint(place);
        }
        if (!under_mouse.empty()) name = under_mouse;
      }
    show_value(workspace, stack, name);
    ImGui::EndChild();
  }

  // What the variable under the mouse holds in the selected frame.
  void show_value(Workspace& workspace, const Answer<Stack>& stack, const std::string& name) {
    if (!name.empty() && ImGui::IsMouseClicked(ImGuiMouseButton_Right)) {
      menu_name_ = name;
      ImGui::OpenPopup("name");
    }
    if (ImGui::BeginPopup("name")) {
      ui::text(Tint::Dim, menu_name_);
      if (ImGui::MenuItem("Watch it")) workspace.command("watch.add", menu_name_);
      if (ImGui::MenuItem("Show its memory")) workspace.command("go.address", "&" + menu_name_);
      if (ImGui::MenuItem("Copy name")) ImGui::SetClipboardText(menu_name_.c_str());
      ImGui::EndPopup();
      return;
    }
    if (name.empty()) return;
    const auto value = workspace.session->watch(name, workspace.thread(), workspace.frame());
    if (!value) return;
    if (!ImGui::BeginTooltip()) return;
    // The same name may be another variable where the mouse is: it is said whose value this is.
    const bool known = stack && workspace.frame() < stack->frames.size();
    ui::text(Tint::Dim, fmt::format("{}   in frame {}{}", value->type, workspace.frame(),
                                    known ? ", " + stack->frames[workspace.frame()].function : ""));
    ImGui::PushTextWrapPos(ImGui::GetFontSize() * 40);
    ui::text(value->known ? Tint::Text : Tint::Warning, fmt::format("{} = {}", name, value->text));
    ImGui::PopTextWrapPos();
    ImGui::EndTooltip();
  }

  std::string file_, search_, menu_name_;
  uint32_t line_ = 0;
  uint64_t pc_ = 0, seen_selection_ = 0, seen_place_ = 0;
  bool scroll_ = false, searching_ = false, focus_ = false;
  std::shared_ptr<const SourceFile> shown_text_;
  std::vector<OpenText> open_;
};

const ViewRegistration source_registration{
    {.name = "source", .title = "Source", .keys = "Alt+4", .place = 40, .make = make_view<SourceView>}};

}  // namespace
}  // namespace mortem::inspector::app
