// The program's open descriptors.
#include <fmt/format.h>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

using snapshot::OpenDescriptor;

class FilesView : public View {
 public:
  void draw(Workspace& workspace) override {
    const auto& descriptors = workspace.session->open_files().descriptors;
    if (!descriptors)
      return ui::nothing("", workspace.session->phase() == Phase::Opening,
                         "This target does not tell of descriptors: only Mortem's own dumps, clones and guests do");
    ui::filter("##filter", "Filter by number, kind or path", filter_, focus_);
    constexpr ImGuiTableFlags kFlags = ImGuiTableFlags_ScrollX | ImGuiTableFlags_ScrollY | ImGuiTableFlags_Resizable |
                                       ImGuiTableFlags_RowBg | ImGuiTableFlags_SizingFixedFit;
    if (!ImGui::BeginTable("descriptors", 5, kFlags)) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    // Wide enough for every row: ImGui would take the width of those that it sees first.
    ImGui::TableSetupColumn("Number");
    ImGui::TableSetupColumn("Kind", ImGuiTableColumnFlags_WidthFixed, ImGui::CalcTextSize("character").x);
    ImGui::TableSetupColumn("Opened for", ImGuiTableColumnFlags_WidthFixed,
                            ImGui::CalcTextSize("read-write non-blocking close-on-exec").x);
    ImGui::TableSetupColumn("Position", ImGuiTableColumnFlags_WidthFixed, ImGui::CalcTextSize("0x123456789abc").x);
    ImGui::TableSetupColumn("Path", ImGuiTableColumnFlags_WidthStretch);
    ImGui::TableHeadersRow();
    std::vector<const OpenDescriptor*> shown;
    for (const OpenDescriptor& one : *descriptors)
      if (ui::fits_filter(filter_, line_of(one))) shown.push_back(&one);
    ImGuiListClipper clipper;
    clipper.Begin(int(shown.size()));
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index)
        draw_descriptor(workspace, *shown[size_t(index)]);
    ImGui::EndTable();
    if (shown.empty()) ui::text(Tint::Dim, descriptors->empty() ? "The program has nothing open" : "Nothing fits");
  }

  void find() override { focus_ = true; }

  std::string copied(Workspace& workspace) override {
    std::string text;
    if (const auto& descriptors = workspace.session->open_files().descriptors)
      for (const OpenDescriptor& one : *descriptors) text += line_of(one) + "\n";
    return text;
  }

 private:
  static std::string flags_of(const OpenDescriptor& one) {
    return snapshot::open_flags_text(one.flags) + (one.close_on_exec ? " close-on-exec" : "");
  }
  static std::string line_of(const OpenDescriptor& one) {
    return fmt::format("{}\t{}\t{}\t{}", one.number, snapshot::file_kind_text(one.kind), flags_of(one), one.path);
  }

  static void draw_descriptor(Workspace& workspace, const OpenDescriptor& one) {
    const std::string id = fmt::format("descriptor {}", one.number);
    const auto column = [](Tint tint, const std::string& text) {
      ImGui::TableNextColumn();
      ui::text(tint, text);
    };
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    if (ui::row(id, false) && one.socket != 0) workspace.command("view.network");
    if (ui::begin_context_menu(id, line_of(one))) ui::end_context_menu();
    ui::text(Tint::Text, std::to_string(one.number));
    column(Tint::Accent, snapshot::file_kind_text(one.kind));
    column(Tint::Dim, flags_of(one));
    column(Tint::Dim, one.position ? ui::number(workspace, *one.position) : "");
    column(Tint::Text, one.path);
  }

  std::string filter_;
  bool focus_ = false;
};

const ViewRegistration files_registration{
    {.name = "files", .title = "Files", .place = 120, .make = make_view<FilesView>}};

}  // namespace
}  // namespace mortem::inspector::app
