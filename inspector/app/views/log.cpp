// The kernel's log.
#include <fmt/format.h>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

class LogView : public View {
 public:
  void draw(Workspace& workspace) override {
    const std::string& log = workspace.session->kernel_log();
    if (log.empty()) {
      const bool opening = workspace.session->phase() == Phase::Opening;
      return ui::nothing("", opening, "This target holds no kernel log");
    }
    ui::filter("##filter", "Filter lines", filter_, focus_);
    if (shown_ != &log || size_ != log.size() || shown_filter_ != filter_) collect(log);
    ImGui::BeginChild("lines", ImVec2(0, 0), 0, ImGuiWindowFlags_HorizontalScrollbar);
    ImGuiListClipper clipper;
    clipper.Begin(int(lines_.size()), line_height());
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index) {
        const float y = ImGui::GetCursorPosY();
        draw_line(lines_[size_t(index)], size_t(index));
        ui::end_row(y);
      }
    if (lines_.empty()) ui::text(Tint::Dim, "No line fits");
    if (std::exchange(to_end_, false)) ImGui::SetScrollY(float(lines_.size()) * line_height());
    ImGui::EndChild();
  }

  void find() override { focus_ = true; }
  std::string copied(Workspace& workspace) override { return workspace.session->kernel_log(); }

 private:
  void collect(const std::string& log) {
    to_end_ = shown_ != &log;  // the last lines tell most
    shown_ = &log;
    size_ = log.size();
    shown_filter_ = filter_;
    lines_.clear();
    std::string_view rest = log;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      if (ui::fits_filter(filter_, rest.substr(0, end))) lines_.push_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }

  // "[    1.234567] what happened"
  static void draw_line(std::string_view line, size_t index) {
    const size_t behind = line.starts_with('[') ? line.find(']') : std::string_view::npos;
    if (behind != std::string_view::npos) {
      ui::text(Tint::Faint, line.substr(0, behind + 1));
      ImGui::SameLine();
      line.remove_prefix(behind + 1);
      if (line.starts_with(' ')) line.remove_prefix(1);
    }
    const bool bad = ui::fits_filter("panic", line) || ui::fits_filter("fault", line) || ui::fits_filter("crashed", line);
    ui::text(bad ? Tint::Error : Tint::Text, line);
    if (ui::begin_context_menu(fmt::format("line {}", index), std::string(line))) ui::end_context_menu();
  }

  std::string filter_, shown_filter_;
  bool focus_ = false, to_end_ = false;
  const std::string* shown_ = nullptr;
  size_t size_ = 0;
  std::vector<std::string_view> lines_;
};

const ViewRegistration log_registration{
    {.name = "log", .title = "Kernel log", .keys = "Alt+9", .place = 90, .make = make_view<LogView>}};

}  // namespace
}  // namespace mortem::inspector::app
