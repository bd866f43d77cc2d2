// Why it stopped, in one sentence, with the place in the source; what it was; what is missing and what to do.
#include <fmt/format.h>

#include "inspector/app/ui/code_line.h"
#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

void fact(const char* name, const std::string& value, Tint tint = Tint::Text) {
  if (value.empty()) return;
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  ui::text(Tint::Dim, name);
  ImGui::TableNextColumn();
  ui::wrapped(tint, value);
  if (ui::begin_context_menu(name, value)) ui::end_context_menu();
}

void draw_source(Workspace& workspace, const Summary& summary) {
  const auto& frame = summary.findings.telling_frame;
  if (!frame) return;
  ui::heading("Where");
  const std::string place =
      frame->line != 0 ? fmt::format("{}:{}", ui::file_name(frame->file), frame->line) : fmt::format("{:#x}", frame->pc);
  ui::text(Tint::Function, frame->function.empty() ? "(no name)" : frame->function);
  ImGui::SameLine();
  if (ui::link("place", place))
    workspace.go({.view = "source", .thread = 0, .frame = 0, .address = frame->pc, .file = frame->file, .line = frame->line});
  ui::tooltip(frame->file);
  if (!summary.source) return;
  if (summary.source->newer) ui::text(Tint::Warning, "The file was changed after the program was built");
  OpenText open = OpenText::None;
  for (size_t index = 0; index < summary.source->lines.size(); ++index) {
    const uint32_t number = summary.source->first + uint32_t(index);
    ui::code_line({.text = summary.source->lines[index],
                   .number = number,
                   .digits = 5,
                   .mark = number == frame->line ? ui::LineMark::Current : ui::LineMark::None,
                   .language = language_of(frame->file)},
                  open);
  }
}

void draw_program(const Summary& summary) {
  ui::heading("Program");
  if (!ImGui::BeginTable("facts", 2, ImGuiTableFlags_SizingFixedFit)) return;
  ImGui::TableSetupColumn("name", ImGuiTableColumnFlags_WidthFixed, ImGui::GetFontSize() * 9);
  ImGui::TableSetupColumn("value", ImGuiTableColumnFlags_WidthStretch);
  const snapshot::DumpInfo& info = summary.info;
  // What a core calls its program is the name of the thread that died.
  for (const auto& module : info.modules)
    if (module.kind == "program") fact("Program", module.path);
  fact("Command", info.command_line);
  fact("Signature", summary.findings.signature.id.empty()
                        ? std::string()
                        : fmt::format("{}  {}", summary.findings.signature.id, summary.findings.signature.kind));
  fact("When", summary.when);
  if (summary.occurrence > 1) fact("Occurrence", fmt::format("number {} of its kind on this disk", summary.occurrence));
  if (info.identity) {
    fact("Up for", fmt::format("{:.1f} s", double(info.identity->uptime_ns) / 1e9));
    fact("Memory", fmt::format("{} of {} in use", ui::size_text(info.identity->resident_bytes),
                               ui::size_text(info.identity->memory_bytes)));
    fact("Kernel", info.identity->kernel_version);
  }
  fact("Threads", std::to_string(info.threads.size()));
  if (summary.findings.goroutines > 0) fact("Goroutines", std::to_string(summary.findings.goroutines));
  for (const auto& module : info.modules)
    if (module.kind == "program") {
      fact("Build", module.id.empty() ? "no build id" : module.id);
      break;
    }
  if (summary.partial) fact("Dump", "partial: a part of the memory is not in it", Tint::Warning);
  ImGui::EndTable();
}

void draw_lines(const char* title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  ui::heading(title);
  for (const std::string& line : lines) ui::wrapped(Tint::Text, line);
}

void draw_modules(Session& session) {
  const auto modules = session.module_facts();
  if (!modules || !ImGui::BeginTable("modules", 4, ImGuiTableFlags_SizingFixedFit | ImGuiTableFlags_RowBg)) return;
  ImGui::TableSetupColumn("Module");
  ImGui::TableSetupColumn("Addresses");
  ImGui::TableSetupColumn("Build id");
  ImGui::TableSetupColumn("Symbols", ImGuiTableColumnFlags_WidthStretch);
  ImGui::TableHeadersRow();
  for (const ModuleFacts& one : *modules) {
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    ui::text(Tint::Text, ui::file_name(one.module.path));
    ui::tooltip(one.module.path);
    ImGui::TableNextColumn();
    ui::text(Tint::Address, fmt::format("{:#x}-{:#x}", one.module.start, one.module.end));
    ImGui::TableNextColumn();
    const std::string id = snapshot::hexadecimal(one.module.id);
    ui::text(Tint::Dim, id.empty() ? "none" : id.substr(0, 12));
    ui::tooltip(id);
    if (ui::begin_context_menu(id + one.module.path, id)) ui::end_context_menu();
    ImGui::TableNextColumn();
    ui::text(one.symbols.starts_with("no symbols") ? Tint::Warning : Tint::Dim, one.symbols);
    ui::tooltip(one.symbols);
  }
  ImGui::EndTable();
}

class SummaryView : public View {
 public:
  void draw(Workspace& workspace) override {
    const auto summary = workspace.session->summary();
    if (!summary) return ui::nothing(summary.problem, true, "");
    const CrashReason& reason = summary->findings.reason;
    ImGui::PushFont(bold_font());
    ui::wrapped(reason.crashed ? Tint::Error : Tint::Good, reason.sentence);
    ImGui::PopFont();
    if (ui::begin_context_menu("reason", reason.sentence)) ui::end_context_menu();
    if (reason.exit_status) ui::text(Tint::Dim, fmt::format("exit status {}", *reason.exit_status));
    draw_source(workspace, *summary);
    draw_program(*summary);
    draw_lines("The last on standard error", summary->error_lines);
    draw_lines("The last on standard output", summary->output_lines);
    if (!summary->missing_symbols.empty()) {
      ui::heading("Missing symbols");
      for (const std::string& line : summary->missing_symbols) ui::wrapped(Tint::Warning, line);
    }
    ui::heading("Modules");
    draw_modules(*workspace.session);
  }

  std::string copied(Workspace& workspace) override {
    const auto summary = workspace.session->summary();
    return summary ? summary->findings.reason.sentence : std::string();
  }
};

const ViewRegistration summary_registration{
    {.name = "summary", .title = "Summary", .keys = "Alt+1", .place = 10, .make = make_view<SummaryView>}};

}  // namespace
}  // namespace mortem::inspector::app
