// Marked ranges of memory: what is different now, or between two ranges, with a way from one difference to the next.
#include <fmt/format.h>
#include <imgui.h>

#include <algorithm>
#include <charconv>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

constexpr uint64_t kRow = 16;

std::string mark_text(const MemoryMark& mark) {
  std::string text = fmt::format("{:#x}, {} bytes", mark.then.address, mark.then.bytes.size());
  if (mark.against) text += fmt::format(" and {:#x}", *mark.against);
  return text;
}

// Bytes of one row, those that differ in their own colour.
void draw_side(const RangeBytes& range, const RangeBytes& other, uint64_t from, const char* sign, Tint tint) {
  ui::text(tint, sign);
  ImGui::SameLine();
  ui::text(Tint::Address, fmt::format("{:016x}", range.address + from));
  ImDrawList& list = *ImGui::GetWindowDrawList();
  ImGui::SameLine();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const uint64_t end = std::min<uint64_t>(from + kRow, range.bytes.size());
  for (uint64_t index = from; index < end; ++index) {
    const bool differs = range.known[index] && other.known[index] && range.bytes[index] != other.bytes[index];
    const std::string text = range.known[index] ? fmt::format("{:02x}", range.bytes[index]) : "??";
    const float column = float(index - from);
    list.AddText(ImVec2(at.x + glyph_width() * (3 * column + (column >= 8 ? 1 : 0)), at.y),
                 colour(differs              ? tint
                        : range.known[index] ? Tint::Dim
                                             : Tint::Faint),
                 text.c_str());
    const char letter[2] = {char(range.bytes[index] >= 0x20 && range.bytes[index] < 0x7f ? range.bytes[index] : '.'),
                            0};
    if (range.known[index])
      list.AddText(ImVec2(at.x + glyph_width() * (51 + column), at.y), colour(differs ? tint : Tint::Faint), letter);
  }
  ImGui::Dummy(ImVec2(glyph_width() * 68, ImGui::GetTextLineHeight()));
}

class MarksView : public View {
 public:
  void draw(Workspace& workspace) override {
    MemoryMarks& marks = workspace.session->marks();
    if (marks.all().empty())
      return ui::nothing("", marks.has_wanted(),
                         "Nothing is marked. Ctrl+K marks a range of memory, so that what changes there is seen; "
                         "\"Compare two ranges\" shows how one differs from another");
    draw_list(workspace, marks);
    const auto chosen =
        std::find_if(marks.all().begin(), marks.all().end(), [&](const MemoryMark& one) { return one.id == chosen_; });
    const MemoryMark& mark = chosen == marks.all().end() ? marks.all().back() : *chosen;
    const RangeBytes now =
        read_range(*workspace.session, mark.against.value_or(mark.then.address), mark.then.bytes.size());
    draw_comparison(workspace, mark, now);
  }

  std::string copied(Workspace& workspace) override {
    std::string text;
    for (const MemoryMark& mark : workspace.session->marks().all()) {
      const RangeBytes now =
          read_range(*workspace.session, mark.against.value_or(mark.then.address), mark.then.bytes.size());
      text += mark_text(mark) + '\n';
      for (const Difference& one : compare(mark.then, now).differences)
        for (uint64_t offset = one.offset; offset < one.offset + one.length; ++offset)
          text += fmt::format("{:#x} {:02x} {:02x}\n", mark.then.address + offset, mark.then.bytes[offset],
                              now.bytes[offset]);
    }
    return text;
  }

 private:
  void draw_list(Workspace& workspace, MemoryMarks& marks) {
    uint32_t removed = 0;
    for (const MemoryMark& mark : marks.all()) {
      ImGui::PushID(int(mark.id));
      const bool shown = mark.id == chosen_ || (&mark == &marks.all().back() && !is_there(marks, chosen_));
      if (ui::link("mark", mark_text(mark), shown ? Tint::Text : Tint::Accent)) chosen_ = mark.id;
      ImGui::SameLine();
      if (ui::link("memory", "memory"))
        workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = mark.then.address, .file = {}, .line = 0});
      ImGui::SameLine();
      if (ui::link("remove", "remove", Tint::Dim)) removed = mark.id;
      ImGui::PopID();
    }
    if (removed != 0)
      workspace.later([&workspace, removed] {
        if (workspace.session) workspace.session->marks().remove(removed);
      });
  }

  static bool is_there(const MemoryMarks& marks, uint32_t id) {
    return std::any_of(marks.all().begin(), marks.all().end(), [&](const MemoryMark& one) { return one.id == id; });
  }

  void draw_comparison(Workspace& workspace, const MemoryMark& mark, const RangeBytes& now) {
    const Comparison result = compare(mark.then, now);
    std::string text = result.different == 0
                           ? (mark.against ? "The ranges are equal" : "Nothing is different now")
                           : fmt::format("{} bytes differ in {} places", result.different, result.differences.size());
    if (result.unknown > 0) text += fmt::format("; {} bytes are not known", result.unknown);
    ui::heading(text);
    if (now.pending) workspace.redraw_within = std::min(workspace.redraw_within, 0.25);
    const auto step = [&](bool forward) {
      if (result.differences.empty()) return;
      const size_t count = result.differences.size();
      at_ = at_ >= count ? 0 : (at_ + (forward ? 1 : count - 1)) % count;
      scroll_ = true;
    };
    if (!result.differences.empty()) {
      if (ui::link("previous", "previous difference")) step(false);
      ImGui::SameLine();
      if (ui::link("next", "next difference")) step(true);
    }
    std::vector<uint64_t> rows;
    for (const Difference& one : result.differences)
      for (uint64_t row = one.offset / kRow; row <= (one.offset + one.length - 1) / kRow; ++row)
        if (rows.empty() || rows.back() < row) rows.push_back(row);
    ImGui::BeginChild("rows", ImVec2(0, 0), 0, ImGuiWindowFlags_HorizontalScrollbar);
    const uint64_t wanted = at_ < result.differences.size() ? result.differences[at_].offset / kRow : ~uint64_t{0};
    const float height = 2 * line_height() + ImGui::GetFontSize() * 0.3f;
    if (std::exchange(scroll_, false))
      ImGui::SetScrollY(
          std::max(0.0f, height * float(std::lower_bound(rows.begin(), rows.end(), wanted) - rows.begin()) -
                             ImGui::GetWindowHeight() / 3));
    ImGuiListClipper clipper;
    clipper.Begin(int(rows.size()), height);
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index) {
        const uint64_t from = rows[size_t(index)] * kRow;
        const float y = ImGui::GetCursorPosY();
        if (rows[size_t(index)] == wanted) {
          const ImVec2 corner = ImGui::GetCursorScreenPos();
          ImGui::GetWindowDrawList()->AddRectFilled(
              corner, ImVec2(corner.x + ImGui::GetWindowWidth(), corner.y + 2 * line_height()),
              colour(Tint::OtherLine));
        }
        draw_side(mark.then, now, from, "-", Tint::Error);
        ImGui::SetCursorPosY(y + line_height());
        draw_side(now, mark.then, from, "+", Tint::Good);
        ImGui::SetCursorPosY(y + height);
        ImGui::Dummy(ImVec2(0, 0));
      }
    ImGui::EndChild();
  }

  uint32_t chosen_ = 0;
  size_t at_ = ~size_t{0};
  bool scroll_ = false;
};

// "buffer, 64": the parts between commas, without blanks around them.
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  int depth = 0;
  std::string part;
  for (const char letter : text) {
    depth += letter == '(' || letter == '[' ? 1 : letter == ')' || letter == ']' ? -1 : 0;
    if (letter == ',' && depth == 0) {
      parts.push_back(std::exchange(part, {}));
    } else if (letter != ' ' || !part.empty()) {
      part += letter;
    }
  }
  parts.push_back(part);
  return parts;
}

// Addresses may take a moment to be known.
void mark_when_known(Workspace& workspace, std::vector<std::string> places, uint64_t size) {
  if (!workspace.session) return;
  std::vector<uint64_t> addresses;
  for (const std::string& place : places) {
    const auto address = workspace.session->address_of(place, workspace.thread(), workspace.frame());
    if (address.pending)
      return workspace.later(
          [&workspace, places = std::move(places), size] { mark_when_known(workspace, places, size); });
    if (!address) return workspace.jobs.report("Mark memory", address.problem);
    addresses.push_back(*address);
  }
  const auto against = addresses.size() > 1 ? std::optional(addresses[1]) : std::nullopt;
  const auto added = workspace.session->marks().add(addresses[0], size, against);
  if (!added) return workspace.jobs.report("Mark memory", added.error().message);
  workspace.command("view.marks");
}

Result<void> mark(Workspace& workspace, const std::string& text, size_t places) {
  std::vector<std::string> parts = parts_of(text);
  uint64_t size = 0;
  const std::string digits = parts.back();
  const bool is_hexadecimal = digits.starts_with("0x");
  const auto read = std::from_chars(digits.data() + (is_hexadecimal ? 2 : 0), digits.data() + digits.size(), size,
                                    is_hexadecimal ? 16 : 10);
  if (parts.size() != places + 1 || read.ec != std::errc() || read.ptr != digits.data() + digits.size())
    return failure(ErrorKind::BadInput,
                   fmt::format("'{}' is not {}ADDRESS, BYTES", text, places > 1 ? "ADDRESS, " : ""));
  parts.pop_back();
  mark_when_known(workspace, std::move(parts), size);
  return {};
}

void add_mark_commands(Workspace& workspace) {
  const auto unavailable = [&workspace]() -> std::string { return workspace.session ? "" : "nothing is open"; };
  workspace.commands.add({.name = "memory.mark",
                          .menu = "Go",
                          .title = "Mark memory, to see what changes",
                          .keys = "Ctrl+K",
                          .argument = "ADDRESS, BYTES: buffer->data, 64",
                          .run = [&workspace](const std::string& text) { return mark(workspace, text, 1); },
                          .unavailable = unavailable,
                          .typed_first = true});
  workspace.commands.add({.name = "memory.compare",
                          .menu = "Go",
                          .title = "Compare two ranges of memory",
                          .argument = "ADDRESS, ADDRESS, BYTES: &first, &second, 64",
                          .run = [&workspace](const std::string& text) { return mark(workspace, text, 2); },
                          .unavailable = unavailable,
                          .typed_first = true});
}

const CommandRegistration mark_commands(add_mark_commands);
const ViewRegistration marks_registration{
    {.name = "marks", .title = "Marks", .place = 57, .make = make_view<MarksView>}};

}  // namespace
}  // namespace mortem::inspector::app
