// The address space: what every range is, and what the target holds of it.
#include <fmt/format.h>

#include <map>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

Tint tint_of(RangeKind kind) {
  switch (kind) {
    case RangeKind::Code:
      return Tint::Function;
    case RangeKind::ReadOnlyData:
      return Tint::Type;
    case RangeKind::Data:
      return Tint::String;
    case RangeKind::Heap:
      return Tint::Warning;
    case RangeKind::Stack:
      return Tint::Keyword;
    case RangeKind::File:
      return Tint::Address;
    case RangeKind::Anonymous:
      return Tint::Number;
    case RangeKind::Kernel:
      return Tint::Error;
    case RangeKind::Device:
      return Tint::Preprocessor;
    case RangeKind::Reserved:
      return Tint::Faint;
  }
  return Tint::Text;
}

std::string access_text(uint32_t flags) {  // PF_R 4, PF_W 2, PF_X 1
  return {flags & 4 ? 'r' : '-', flags & 2 ? 'w' : '-', flags & 1 ? 'x' : '-'};
}

class MapView : public View {
 public:
  void draw(Workspace& workspace) override {
    const auto ranges = workspace.session->address_space();
    if (!ranges) return ui::nothing(ranges.problem, ranges.pending, "No memory is mapped");
    const ShownPlace& asked = workspace.shown("map");
    if (asked.serial != seen_place_) {
      seen_place_ = asked.serial;
      followed_ = asked.place.address;
      scroll_ = true;
      filter_.clear();
    }
    if (ranges_ != ranges.value || kept_filter_ != filter_) collect(ranges.value);
    draw_totals();
    ui::filter("##filter", "Filter by kind, file or address", filter_, focus_);
    draw_table(workspace);
  }

  void find() override { focus_ = true; }

  std::string copied(Workspace& workspace) override {
    std::string text;
    const auto ranges = workspace.session->address_space();
    if (ranges)
      for (const AddressRange& one : *ranges)
        text += fmt::format("{:#x}-{:#x} {} {} {} {}\n", one.start, one.end, access_text(one.flags),
                            range_kind_name(one.kind), range_content_name(one.content), one.path);
    return text;
  }

 private:
  // Once for ranges and filter: there may be ten thousands.
  void collect(std::shared_ptr<const std::vector<AddressRange>> ranges) {
    ranges_ = std::move(ranges);
    kept_filter_ = filter_;
    shown_.clear();
    bytes_.clear();
    sum_ = reserved_ = 0;
    for (const AddressRange& one : *ranges_) {
      if (filter_.empty() ||
          ui::fits_filter(filter_, fmt::format("{:#x} {:#x} {} {} {}", one.start, one.end, range_kind_name(one.kind),
                                               range_content_name(one.content), one.path)))
        shown_.push_back(&one);
      if (one.kind == RangeKind::Reserved) {
        reserved_ += one.end - one.start;
        continue;
      }
      bytes_[one.kind] += one.end - one.start;
      sum_ += one.end - one.start;
    }
  }

  // A bar of what there is, by kind; of reservations, which may be terabytes, only the sum in words.
  void draw_totals() const {
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float width = ImGui::GetContentRegionAvail().x, height = ImGui::GetFontSize() * 0.6f;
    float x = at.x;
    for (const auto& [kind, size] : bytes_) {
      const float part = width * float(double(size) / double(std::max<uint64_t>(sum_, 1)));
      ImGui::GetWindowDrawList()->AddRectFilled(ImVec2(x, at.y), ImVec2(x + part, at.y + height),
                                                colour(tint_of(kind)));
      x += part;
    }
    ImGui::Dummy(ImVec2(width, height));
    for (const auto& [kind, size] : bytes_) {
      ui::text(tint_of(kind), fmt::format("{} {}", range_kind_name(kind), ui::size_text(size)));
      ImGui::SameLine();
    }
    ui::text(Tint::Faint, reserved_ > 0 ? "reserved " + ui::size_text(reserved_) : "");
  }

  void draw_table(Workspace& workspace) {
    const auto& shown = shown_;
    const ImGuiTableFlags flags = ImGuiTableFlags_ScrollY | ImGuiTableFlags_SizingFixedFit | ImGuiTableFlags_Resizable;
    if (!ImGui::BeginTable("ranges", 6, flags)) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    // Wide enough for every row: ImGui would take the width of those that it sees first.
    ImGui::TableSetupColumn("Addresses", ImGuiTableColumnFlags_WidthFixed,
                            ImGui::CalcTextSize("0x0000000000000000-0x0000000000000000").x);
    for (const char* title : {"Size", "Access", "Kind", "Content"}) ImGui::TableSetupColumn(title);
    ImGui::TableSetupColumn("What", ImGuiTableColumnFlags_WidthStretch);
    ImGui::TableHeadersRow();
    int followed = -1;
    for (size_t index = 0; index < shown.size(); ++index)
      if (followed_ && *followed_ >= shown[index]->start && *followed_ < shown[index]->end) followed = int(index);
    ImGuiListClipper clipper;
    clipper.Begin(int(shown.size()));
    if (scroll_ && followed >= 0) clipper.IncludeItemByIndex(followed);
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index)
        draw_range(workspace, *shown[size_t(index)], index == followed);
    ImGui::EndTable();
  }

  void draw_range(Workspace& workspace, const AddressRange& one, bool followed) {
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    const std::string id = fmt::format("{:x}", one.start);
    if (ui::row(id, followed))
      workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = one.start, .file = {}, .line = 0});
    if (followed && std::exchange(scroll_, false)) ImGui::SetScrollHereY();
    if (ui::begin_context_menu(id, fmt::format("{:#x}-{:#x}", one.start, one.end))) {
      ui::address_menu(workspace, one.start);
      ui::end_context_menu();
    }
    ui::text(Tint::Address, fmt::format("{:#018x}-{:#x}", one.start, one.end));
    ImGui::TableNextColumn();
    ui::text(Tint::Text, fmt::format("{:>10}", ui::size_text(one.end - one.start)));
    ImGui::TableNextColumn();
    ui::text(Tint::Dim, access_text(one.flags));
    ImGui::TableNextColumn();
    ui::text(tint_of(one.kind), range_kind_name(one.kind));
    ImGui::TableNextColumn();
    ui::text(one.content == RangeContent::NotHeld ? Tint::Warning : Tint::Dim, range_content_name(one.content));
    ImGui::TableNextColumn();
    std::string what = one.path;
    if (one.thread != 0) what += fmt::format("{}thread {}", what.empty() ? "" : ", ", one.thread);
    if (!one.path.empty() && one.file_offset > 0) what += fmt::format(" + {:#x}", one.file_offset);
    ui::text(Tint::Text, what);
  }

  std::string filter_;
  std::string kept_filter_;
  std::shared_ptr<const std::vector<AddressRange>> ranges_;
  std::vector<const AddressRange*> shown_;  // of ranges_, that fit the filter
  std::map<RangeKind, uint64_t> bytes_;
  uint64_t sum_ = 0, reserved_ = 0;
  std::optional<uint64_t> followed_;
  uint64_t seen_place_ = 0;
  bool focus_ = false, scroll_ = false;
};

const ViewRegistration map_registration{
    {.name = "map", .title = "Address space", .place = 95, .make = make_view<MapView>}};

}  // namespace
}  // namespace mortem::inspector::app
