// The code of one function, with the source lines that it was made of.
#include <fmt/format.h>

#include "inspector/app/ui/code_line.h"
#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

class DisassemblyView : public View {
 public:
  void draw(Workspace& workspace) override {
    const auto stack = workspace.session->stack(workspace.thread());
    follow(workspace, stack);
    if (!address_) return ui::nothing(stack.problem, stack.pending, "No code is selected");
    const auto code = workspace.session->code(*address_);
    draw_heading(workspace, code);
    if (!code) return ui::nothing(code.problem, code.pending, "No code is there");
    collect_lines(workspace, code.value);
    draw_code(workspace, *code, stack);
  }

  std::string copied(Workspace&) override {
    std::string text;
    if (block_)
      for (const CodeRow& row : block_->rows) text += fmt::format("{:#x}  {}{}\n", row.address, row.text, row.target_name);
    return text;
  }

 private:
  // A line on the screen: an instruction, or the source line before it.
  struct Line {
    size_t row = 0;
    bool is_source = false;
    std::string text;  // of the source
  };

  void follow(Workspace& workspace, const Answer<Stack>& stack) {
    const ShownPlace& asked = workspace.shown("disassembly");
    if (asked.serial != seen_place_) {
      seen_place_ = asked.serial;
      seen_selection_ = workspace.selection_serial();
      address_ = asked.place.address;
      scroll_ = true;
    }
    if (workspace.selection_serial() == seen_selection_ || !stack || stack.pending) return;
    if (workspace.frame() >= stack->frames.size()) return;
    seen_selection_ = workspace.selection_serial();
    address_ = lookup(stack->frames[workspace.frame()], workspace.frame());
    scroll_ = true;
  }

  // A caller's pc is behind its call, perhaps behind its function.
  static uint64_t lookup(const Frame& frame, size_t index) {
    return frame.physical == 0 || index == 0 || frame.pc == 0 ? frame.pc : frame.pc - 1;
  }

  void draw_heading(Workspace& workspace, const Answer<CodeBlock>& code) {
    const auto go = [&](uint64_t address) {
      workspace.go({.view = "disassembly", .thread = 0, .frame = 0, .address = address, .file = {}, .line = 0});
    };
    if (code) {
      ui::text(Tint::Function, code->function.empty() ? "(no symbol)" : code->function);
      ImGui::SameLine();
      ui::text(Tint::Dim, fmt::format("{}, {} bytes{}", ui::file_name(code->module), code->end - code->start,
                                      code->from_file ? ", read from its file" : ""));
      ImGui::SameLine();
      if (ui::link("before", "previous")) go(code->start - 1);
      ImGui::SameLine();
      if (ui::link("after", "next")) go(code->end);
      ImGui::SameLine();
    }
    if (ui::link("mixed", mixed_ ? "without source" : "with source")) {
      mixed_ = !mixed_;
      block_.reset();
    }
    ImGui::SameLine();
    if (ui::link("bytes", bytes_ ? "without bytes" : "with bytes")) bytes_ = !bytes_;
  }

  void collect_lines(Workspace& workspace, const std::shared_ptr<const CodeBlock>& block) {
    if (block_ == block && !sources_missing_) return;
    block_ = block;
    sources_missing_ = false;
    lines_.clear();
    std::string last_file;
    uint32_t last_line = 0;
    for (size_t row = 0; row < block->rows.size(); ++row) {
      const CodeRow& one = block->rows[row];
      if (mixed_ && one.line != 0 && (one.line != last_line || one.file != last_file)) {
        last_line = one.line;
        last_file = one.file;
        const auto source = workspace.session->source(one.file, one.address);
        sources_missing_ = sources_missing_ || source.pending;
        lines_.push_back({row, true, source && one.line <= source->lines.size() ? source->lines[one.line - 1] : ""});
      }
      lines_.push_back({row, false, {}});
    }
  }

  void draw_code(Workspace& workspace, const CodeBlock& code, const Answer<Stack>& stack) {
    ImGui::BeginChild("code", ImVec2(0, 0), 0, ImGuiWindowFlags_HorizontalScrollbar);
    std::vector<std::pair<uint64_t, bool>> marks;  // addresses that frames stand at; whether it is the selected one
    if (stack)
      for (size_t index = 0; index < std::min<size_t>(stack->frames.size(), 1000); ++index)
        marks.emplace_back(lookup(stack->frames[index], index), index == workspace.frame());
    if (scroll_) {
      for (size_t index = 0; index < lines_.size(); ++index) {
        const CodeRow& row = code.rows[lines_[index].row];
        if (lines_[index].is_source || *address_ >= row.address + row.bytes.size() || *address_ < row.address) continue;
        const float visible = ImGui::GetWindowHeight() / line_height();
        ImGui::SetScrollY(std::max(0.0f, (float(index) - visible / 3) * line_height()));
        scroll_ = false;
      }
    }
    ImGuiListClipper clipper;
    clipper.Begin(int(lines_.size()), line_height());
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index) {
        const Line& line = lines_[size_t(index)];
        const CodeRow& row = code.rows[line.row];
        if (line.is_source)
          draw_source(row, line);
        else
          draw_instruction(workspace, row, marks);
      }
    ImGui::EndChild();
  }

  static void draw_source(const CodeRow& row, const Line& line) {
    OpenText open = OpenText::None;
    ImGui::PushStyleVar(ImGuiStyleVar_Alpha, 0.75f);
    if (line.text.empty()) {
      const float y = ImGui::GetCursorPosY();
      ui::text(Tint::Dim, fmt::format("  {}:{}", ui::file_name(row.file), row.line));
      ui::end_row(y);
    } else {
      ui::code_line({.text = line.text, .number = row.line, .digits = 5, .language = language_of(row.file)}, open);
    }
    ImGui::PopStyleVar();
    ui::tooltip(row.inlined.empty() ? row.file : fmt::format("{}\ninlined: {}", row.file, row.inlined));
  }

  void draw_instruction(Workspace& workspace, const CodeRow& row, const std::vector<std::pair<uint64_t, bool>>& marks) {
    const float y = ImGui::GetCursorPosY();
    const ImVec2 at = ImGui::GetCursorScreenPos();
    bool marked = false, selected = false;
    for (const auto& [address, is_selected] : marks)
      if (address >= row.address && address < row.address + row.bytes.size()) {
        marked = true;
        selected = selected || is_selected;
      }
    const bool asked = *address_ >= row.address && *address_ < row.address + row.bytes.size();
    if (marked || asked) {
      const float left = ImGui::GetWindowPos().x;
      ImGui::GetWindowDrawList()->AddRectFilled(ImVec2(left, at.y), ImVec2(left + ImGui::GetWindowWidth(), at.y + line_height()),
                                                colour(selected ? Tint::CurrentLine : Tint::OtherLine));
    }
    ui::text(selected ? Tint::Warning : Tint::Accent, marked ? "▶" : " ");
    ImGui::SameLine(0, glyph_width() / 2);
    ui::address(workspace, fmt::format("{:x}", row.address), row.address);
    ImGui::SameLine();
    if (bytes_) {
      std::string bytes;
      for (const uint8_t byte : row.bytes) bytes += fmt::format("{:02x} ", byte);
      ui::text(Tint::Faint, fmt::format("{:<31}", bytes));
      ImGui::SameLine();
    }
    // The mnemonic, then its operands.
    const size_t blank = std::min(row.text.find_first_of(" \t"), row.text.size());
    const size_t operands = std::min(row.text.find_first_not_of(" \t", blank), row.text.size());
    ui::text(Tint::Keyword, fmt::format("{:<7}", row.text.substr(0, blank)));
    ImGui::SameLine();
    if (row.target) {
      const std::string where = row.target_name.empty() ? row.text.substr(operands) : row.target_name;
      if (ui::link(fmt::format("target {:x}", row.address), where, Tint::Function))
        workspace.go({.view = "disassembly", .thread = 0, .frame = 0, .address = row.target, .file = {}, .line = 0});
      ui::tooltip(ui::hex(*row.target));
    } else {
      ui::text(Tint::Text, row.text.substr(operands));
    }
    ui::end_row(y);
  }

  std::optional<uint64_t> address_;
  uint64_t seen_selection_ = 0, seen_place_ = 0;
  bool scroll_ = false, mixed_ = true, bytes_ = false, sources_missing_ = false;
  std::shared_ptr<const CodeBlock> block_;
  std::vector<Line> lines_;
};

const ViewRegistration disassembly_registration{
    {.name = "disassembly", .title = "Disassembly", .keys = "Alt+5", .place = 50, .make = make_view<DisassemblyView>}};

}  // namespace
}  // namespace mortem::inspector::app
