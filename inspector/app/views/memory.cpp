// Memory over the whole address space: rows are counted in 64 bits, so that every address can be reached exactly.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <cstring>

#include "inspector/app/ui/elements.h"
#include "inspector/app/ui/memory_search.h"
#include "inspector/app/ui/value_tree.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

constexpr uint64_t kRowBytes = 16;
constexpr uint64_t kLastRow = ~uint64_t{0} / kRowBytes;

const char* state_text(MemoryPage::State state) {
  switch (state) {
    case MemoryPage::State::Held:
    case MemoryPage::State::Partly:
      return "";
    case MemoryPage::State::Unmapped:
      return "not mapped";
    case MemoryPage::State::NotHeld:
      return "mapped, but not in this dump";
    case MemoryPage::State::Reserved:
      return "reserved, without access";
    case MemoryPage::State::Unreadable:
      return "damaged in the file";
  }
  return "";
}

class MemoryView : public View {
 public:
  void draw(Workspace& workspace) override {
    follow(workspace);
    draw_heading(workspace);
    search_.draw(workspace, selected_);
    const float inspector = ImGui::GetContentRegionAvail().x > glyph_width() * 116 ? glyph_width() * 36 : 0;
    handle_input();
    draw_rows(workspace, inspector);
    if (inspector > 0) {
      ImGui::SameLine();
      draw_inspector(workspace);
    }
  }

  void find() override { search_.begin(); }

  std::string copied(Workspace& workspace) override {
    uint8_t bytes[kRowBytes];
    const size_t known = read(workspace, selected_, bytes);
    std::string text;
    for (size_t index = 0; index < known; ++index) text += fmt::format("{}{:02x}", index ? " " : "", bytes[index]);
    return text;
  }

 private:
  void follow(Workspace& workspace) {
    const ShownPlace& asked = workspace.shown("memory");
    if (asked.serial != seen_place_) {
      seen_place_ = asked.serial;
      if (asked.place.address) show(*asked.place.address);
    }
    if (placed_ || workspace.thread() == 0) return;
    for (const ThreadFacts& one : workspace.session->threads())
      if (one.thread.id == workspace.thread() && one.stack_pointer) show(*one.stack_pointer);
  }

  void show(uint64_t address) {
    selected_ = address;
    const uint64_t row = address / kRowBytes;
    top_ = row > 3 ? row - 3 : 0;
    placed_ = true;
  }

  void scroll(int64_t rows) {
    if (rows < 0)
      top_ = top_ > uint64_t(-rows) ? top_ - uint64_t(-rows) : 0;
    else
      top_ = kLastRow - top_ > uint64_t(rows) ? top_ + uint64_t(rows) : kLastRow;
  }

  void select(int64_t step) {
    const uint64_t to = selected_ + uint64_t(step);
    if ((step < 0) != (to < selected_)) return;  // over an end of the address space
    selected_ = to;
    const uint64_t row = selected_ / kRowBytes;
    if (row < top_) top_ = row;
    if (row >= top_ + rows_shown_) top_ = row - rows_shown_ + 1;
  }

  void handle_input() {
    if (ImGui::IsWindowHovered(ImGuiHoveredFlags_ChildWindows)) scroll(int64_t(-3 * ImGui::GetIO().MouseWheel));
    if (!ImGui::IsWindowFocused(ImGuiFocusedFlags_ChildWindows) || ImGui::GetIO().WantTextInput ||
        ImGui::GetIO().KeyCtrl || ImGui::GetIO().KeyAlt)
      return;
    const int64_t page = int64_t(std::max<uint64_t>(rows_shown_, 2) - 1) * int64_t(kRowBytes);
    for (const auto& [key, step] :
         {std::pair{ImGuiKey_LeftArrow, int64_t{-1}}, std::pair{ImGuiKey_RightArrow, int64_t{1}},
          std::pair{ImGuiKey_UpArrow, -int64_t(kRowBytes)}, std::pair{ImGuiKey_DownArrow, int64_t(kRowBytes)},
          std::pair{ImGuiKey_PageUp, -page}, std::pair{ImGuiKey_PageDown, page}})
      if (ImGui::IsKeyPressed(key)) select(step);
  }

  // Known bytes from `address` on, at most a row.
  static size_t read(Workspace& workspace, uint64_t address, uint8_t (&to)[kRowBytes]) {
    size_t known = 0;
    while (known < kRowBytes) {
      if (address > ~uint64_t{0} - known) break;
      const uint64_t at = address + known;
      const auto page = workspace.session->memory(at);
      const uint64_t offset = at % kMemoryPage;
      if (!page || offset >= page->known) break;
      const size_t count = std::min<uint64_t>(page->known - offset, kRowBytes - known);
      std::memcpy(to + known, page->bytes.data() + offset, count);
      known += count;
    }
    return known;
  }

  void draw_heading(Workspace& workspace) {
    ui::text(Tint::Address, ui::hex(selected_));
    ImGui::SameLine();
    const auto symbol = workspace.session->symbol_at(selected_);
    if (symbol && !symbol->empty()) {
      ui::text(Tint::Function, *symbol);
      ImGui::SameLine();
    }
    const auto label = workspace.session->address_label(selected_);
    ui::text(Tint::Text, label ? *label : label.pending ? "…" : "");
    if (const auto page = workspace.session->memory(selected_); page && page->from_file) {
      ImGui::SameLine();
      ui::text(Tint::Warning, "read from its file");
      ui::tooltip("The target does not hold these bytes. They are what the module's file has there.");
    }
    const auto ranges = workspace.session->address_space();
    if (!ranges) return;
    // The ranges on either side, over gaps of any size.
    const AddressRange *before = nullptr, *after = nullptr;
    for (const AddressRange& one : *ranges) {
      if (one.end <= selected_ || (one.start < selected_ && selected_ < one.end)) before = &one;
      if (one.start > selected_ && !after) after = &one;
    }
    ImGui::SameLine();
    if (before && ui::link("before", "previous range"))
      workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = before->start, .file = {}, .line = 0});
    ImGui::SameLine();
    if (after && ui::link("after", "next range"))
      workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = after->start, .file = {}, .line = 0});
    ImGui::SameLine();
    if (ui::link("map", "map"))
      workspace.go({.view = "map", .thread = 0, .frame = 0, .address = selected_, .file = {}, .line = 0});
    ImGui::SameLine();
    if (ui::link("go", "go to")) workspace.command("go.address");
  }

  void draw_rows(Workspace& workspace, float inspector) {
    ImGui::BeginChild("rows", ImVec2(-inspector - 1, 0), 0,
                      ImGuiWindowFlags_NoScrollWithMouse | ImGuiWindowFlags_NoScrollbar);
    rows_shown_ = uint64_t(std::max(ImGui::GetContentRegionAvail().y / line_height(), 1.0f));
    for (uint64_t index = 0; index < rows_shown_ && index <= kLastRow - top_; ++index)
      draw_row(workspace, top_ + index);
    ImGui::EndChild();
  }

  void draw_row(Workspace& workspace, uint64_t row) {
    const uint64_t address = row * kRowBytes;
    const ImVec2 at = ImGui::GetCursorScreenPos();
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float wide = glyph_width(), y = at.y + (line_height() - ImGui::GetFontSize()) / 2;
    char text[64];
    *fmt::format_to(text, "{:016x}", address) = '\0';
    list.AddText(ImVec2(at.x, y), colour(Tint::Address), text);
    const auto page = workspace.session->memory(address);
    const float first = at.x + wide * 18, characters = first + wide * (16 * 3 + 2);
    ImGui::PushID(reinterpret_cast<const void*>(row + 1));
    if (ImGui::InvisibleButton("row", ImVec2(wide * (18 + 50 + 16), line_height() - ImGui::GetStyle().ItemSpacing.y))) {
      const float x = ImGui::GetMousePos().x;
      select_at(address, x, first, characters, wide);
    }
    if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) follow_pointer(workspace);
    if (ImGui::IsItemClicked(ImGuiMouseButton_Right))
      select_at(address, ImGui::GetMousePos().x, first, characters, wide);
    if (ui::begin_context_menu("row", copied(workspace))) {
      if (ImGui::MenuItem("Follow the pointer here")) follow_pointer(workspace);
      if (ImGui::BeginMenu("Mark, to see what changes")) {
        for (const unsigned size : {1u, 2u, 4u, 8u, 16u, 64u, 256u, 4096u})
          if (ImGui::MenuItem(fmt::format("{} bytes from here on", size).c_str()))
            workspace.command("memory.mark", fmt::format("{:#x}, {}", selected_, size));
        ImGui::EndMenu();
      }
      ui::address_menu(workspace, selected_);
      ui::end_context_menu();
    }
    ImGui::PopID();
    if (!page || page->known <= address % kMemoryPage) {
      const char* why = page ? page->state == MemoryPage::State::Partly ? "not in this dump" : state_text(page->state)
                        : page.problem.empty() ? "…"
                                               : page.problem.c_str();
      list.AddText(ImVec2(first, y), colour(Tint::Faint), why);
      return;
    }
    draw_bytes(workspace.session->marks(), *page, address, ImVec2(first, y), characters);
  }

  void select_at(uint64_t address, float x, float first, float characters, float wide) {
    float column = (x - first) / (wide * 3);
    if (x > characters) column = (x - characters) / wide;
    if (x < first) column = 0;
    selected_ = address + uint64_t(std::clamp(column, 0.0f, 15.0f));
  }

  void draw_bytes(const MemoryMarks& marks, const MemoryPage& page, uint64_t address, ImVec2 at,
                  float characters) const {
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float wide = glyph_width();
    for (uint64_t index = 0; index < kRowBytes; ++index) {
      const uint64_t offset = address % kMemoryPage + index;
      const float x = at.x + wide * (3.0f * float(index) + (index >= 8 ? 1 : 0));
      if (offset >= page.known) {
        list.AddText(ImVec2(x, at.y), colour(Tint::Faint), "??");
        continue;
      }
      const uint8_t byte = page.bytes[offset];
      bool changed = offset < page.changed.size() && page.changed[offset];
      if (const MemoryMark* mark = marks.all().empty() ? nullptr : marks.at(address + index)) {
        // Of a marked range what counts is what it was when it was marked.
        const uint64_t part = address + index - mark->then.address;
        changed = mark->then.known[part] && mark->then.bytes[part] != byte;
        const float below = at.y + ImGui::GetFontSize() + 1;
        list.AddLine(ImVec2(x, below), ImVec2(x + wide * 2, below), colour(changed ? Tint::Changed : Tint::Accent));
      }
      const Tint tint = changed ? Tint::Changed : byte == 0 ? Tint::Faint : Tint::Text;
      if (address + index == selected_) {
        const ImVec2 end(x + wide * 2, at.y + ImGui::GetFontSize());
        list.AddRectFilled(ImVec2(x, at.y), end, colour(Tint::Selection));
        const float letter = characters + wide * float(index);
        list.AddRectFilled(ImVec2(letter, at.y), ImVec2(letter + wide, end.y), colour(Tint::Selection));
      }
      char text[4];
      *fmt::format_to(text, "{:02x}", byte) = '\0';
      list.AddText(ImVec2(x, at.y), colour(tint), text);
      const bool printable = byte >= 0x20 && byte < 0x7f;
      text[0] = printable ? char(byte) : '.';
      text[1] = '\0';
      list.AddText(ImVec2(characters + wide * float(index), at.y), colour(printable ? Tint::String : Tint::Faint),
                   text);
    }
  }

  void follow_pointer(Workspace& workspace) {
    uint8_t bytes[kRowBytes];
    const uint64_t word = selected_ & ~uint64_t{7};
    if (read(workspace, word, bytes) < 8) return;
    uint64_t pointer = 0;
    std::memcpy(&pointer, bytes, 8);
    workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = pointer, .file = {}, .line = 0});
  }

  template <typename T>
  static void number(const char* name, const uint8_t* bytes, size_t known) {
    if (known < sizeof(T)) return;
    T value{};
    std::memcpy(&value, bytes, sizeof(T));
    ui::text(Tint::Dim, fmt::format("{:<7}", name));
    ImGui::SameLine();
    const std::string text = [&] {
      if constexpr (sizeof(T) == 1)
        return fmt::format("{}", int(value));
      else
        return fmt::format("{}", value);
    }();
    ui::text(Tint::Number, text);
    if (ui::begin_context_menu(name, text)) ui::end_context_menu();
  }

  // What the bytes at the selected address are, in every form; or as a type of the program.
  void draw_inspector(Workspace& workspace) {
    ImGui::BeginChild("inspector");
    uint8_t bytes[kRowBytes];
    const size_t known = read(workspace, selected_, bytes);
    number<int8_t>("int8", bytes, known);
    number<uint8_t>("uint8", bytes, known);
    number<int16_t>("int16", bytes, known);
    number<uint16_t>("uint16", bytes, known);
    number<int32_t>("int32", bytes, known);
    number<uint32_t>("uint32", bytes, known);
    number<int64_t>("int64", bytes, known);
    number<uint64_t>("uint64", bytes, known);
    number<float>("float", bytes, known);
    number<double>("double", bytes, known);
    if (known >= 8) {
      uint64_t pointer = 0;
      std::memcpy(&pointer, bytes, 8);
      ui::text(Tint::Dim, "pointer");
      ImGui::SameLine();
      ui::address(workspace, "pointer", pointer);
      const auto label = workspace.session->address_label(pointer);
      if (label && !label->empty()) ui::wrapped(Tint::Text, *label);
    }
    if (known == 0) ui::text(Tint::Dim, "These bytes are not known");
    ui::heading("As a type");
    ImGui::SetNextItemWidth(-1);
    ImGui::InputTextWithHint("##type", "struct connection, uint32_t", &type_);
    if (!type_.empty()) draw_typed(workspace);
    ImGui::EndChild();
  }

  void draw_typed(Workspace& workspace) {
    const std::string expression = fmt::format("*({} *){:#x}", type_, selected_);
    const auto value = workspace.session->watch(expression, workspace.thread(), workspace.frame());
    if (!value) return ui::nothing(value.problem, value.pending, "no value");
    if (!ui::begin_value_table("typed")) return;
    ui::value_row(workspace, *value, expression, Tint::Text);
    ImGui::EndTable();
  }

  uint64_t top_ = 0;  // a row
  uint64_t selected_ = 0, rows_shown_ = 1, seen_place_ = 0;
  bool placed_ = false;
  std::string type_;
  ui::MemorySearch search_;
};

const ViewRegistration memory_registration{
    {.name = "memory", .title = "Memory", .keys = "Alt+6", .place = 55, .make = make_view<MemoryView>}};

}  // namespace
}  // namespace mortem::inspector::app
