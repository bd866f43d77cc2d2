// Bytes, texts and pointers in memory: each search is a job, its hits come while it runs.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

using Kind = SearchQuery::Kind;

Result<void> begin_search(Workspace& workspace, Kind kind, const std::string& text) {
  SearchQuery query;
  query.kind = kind;
  query.text = text;
  workspace.session->start_search(std::move(query));
  workspace.command("view.search");
  return {};
}

class SearchView : public View {
 public:
  void draw(Workspace& workspace) override {
    draw_question(workspace);
    const Session::LastSearch& last = workspace.session->last_search();
    const auto job = last.job != 0 ? workspace.session->jobs().find(last.job) : std::nullopt;
    if (!job) return ui::nothing("", false, "Searches all memory that the target holds, the kernel's too");
    const auto results = workspace.session->search_results(last.job);
    draw_state(workspace, *job, *results);
    ImGui::BeginChild("hits");
    ImGuiListClipper clipper;
    clipper.Begin(int(results->hits.size()), line_height());
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index)
        draw_hit(workspace, results->hits[size_t(index)], index, last.query.kind);
    ImGui::EndChild();
  }

  void find() override { focus_ = true; }

  std::string copied(Workspace& workspace) override {
    std::string text;
    for (const SearchHit& hit : workspace.session->search_results(workspace.session->last_search().job)->hits)
      text += fmt::format("{:#x}\t{}\n", hit.address, hit.place);
    return text;
  }

 private:
  void draw_question(Workspace& workspace) {
    const auto choice = [this](const char* title, Kind kind) {
      if (ui::link(title, title, kind_ == kind ? Tint::Text : Tint::Dim)) kind_ = kind;
      ImGui::SameLine();
    };
    choice("Text", Kind::Text);
    choice("Bytes", Kind::Bytes);
    choice("Pointers to", Kind::PointersTo);
    ImGui::NewLine();
    const char* hint = kind_ == Kind::Text    ? "A text, as UTF-8, and Enter"
                       : kind_ == Kind::Bytes ? "Hexadecimal digits, two a byte, ?? for any: de ad ?? ef"
                                              : "An address, a symbol or an expression: who points there?";
    ImGui::SetNextItemWidth(-1);
    if (std::exchange(focus_, false)) ImGui::SetKeyboardFocusHere();
    if (ImGui::InputTextWithHint("##what", hint, &text_, ImGuiInputTextFlags_EnterReturnsTrue) && !text_.empty())
      (void)begin_search(workspace, kind_, text_);
  }

  static void draw_state(Workspace& workspace, const JobFacts& job, const SearchResults& results) {
    const std::string count = fmt::format("{}{} found", results.hits.size(), results.more ? " and more" : "");
    switch (job.state) {
      case JobState::Running:
        ImGui::ProgressBar(float(job.progress.value_or(0)), ImVec2(ImGui::GetFontSize() * 12, 0));
        ImGui::SameLine();
        ui::text(Tint::Dim, count);
        ImGui::SameLine();
        if (ui::link("cancel", "Cancel")) workspace.session->jobs().cancel(job.id);
        return;
      case JobState::Failed:
        ui::wrapped(Tint::Warning, job.text);
        return;
      case JobState::Cancelled:
        ui::text(Tint::Warning, count + "; cancelled");
        return;
      case JobState::Done:
        break;
    }
    ui::text(Tint::Dim, fmt::format("{} in {}{}", count, ui::size_text(results.searched),
                                    results.unreadable > 0
                                        ? fmt::format("; {} could not be read", ui::size_text(results.unreadable))
                                        : std::string()));
  }

  static void draw_hit(Workspace& workspace, const SearchHit& hit, int index, Kind kind) {
    const std::string id = fmt::format("hit {}", index);
    const float y = ImGui::GetCursorPosY();
    if (ui::row(id, false))
      workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = hit.address, .file = {}, .line = 0});
    if (ui::begin_context_menu(id, fmt::format("{:#x}  {}", hit.address, hit.place))) {
      ui::address_menu(workspace, hit.address);
      ui::end_context_menu();
    }
    ui::text(Tint::Address, fmt::format("{:#018x}", hit.address));
    ImGui::SameLine();
    ui::text(Tint::String, what_is_there(hit, kind));
    ImGui::SameLine();
    ui::text(Tint::Dim, hit.place);
    ui::end_row(y);
  }

  static std::string what_is_there(const SearchHit& hit, Kind kind) {
    constexpr size_t kShown = 16, kShownText = 40;
    std::string text;
    if (kind == Kind::PointersTo && hit.bytes.size() >= sizeof(uint64_t)) {
      uint64_t word = 0;
      std::copy_n(hit.bytes.begin(), sizeof word, reinterpret_cast<uint8_t*>(&word));
      return fmt::format("→ {:#x}", word);
    }
    for (size_t index = 0; index < hit.bytes.size() && index < (kind == Kind::Text ? kShownText : kShown); ++index) {
      const uint8_t byte = hit.bytes[index];
      if (kind == Kind::Text)
        text += byte >= 0x20 && byte < 0x7F ? char(byte) : '.';
      else
        text += fmt::format("{:02x} ", byte);
    }
    return text;
  }

  Kind kind_ = Kind::Text;
  std::string text_;
  bool focus_ = false;
};

void add_search_commands(Workspace& workspace) {
  const auto unavailable = [&workspace]() -> std::string { return workspace.session ? "" : "nothing is open"; };
  const auto add = [&](const char* name, const char* title, const char* argument, Kind kind) {
    workspace.commands.add(
        {.name = name,
         .menu = "Go",
         .title = title,
         .argument = argument,
         .run = [&workspace, kind](const std::string& text) { return begin_search(workspace, kind, text); },
         .unavailable = unavailable,
         .typed_first = true});
  };
  add("search.text", "Search memory for a text", "A text", Kind::Text);
  add("search.bytes", "Search memory for bytes", "Hexadecimal digits, ?? for any byte", Kind::Bytes);
  add("search.pointers", "Find pointers to", "An address, a symbol or an expression", Kind::PointersTo);
}

const CommandRegistration search_commands(add_search_commands);
const ViewRegistration search_registration{
    {.name = "search", .title = "Search", .place = 140, .make = make_view<SearchView>}};

}  // namespace
}  // namespace mortem::inspector::app
