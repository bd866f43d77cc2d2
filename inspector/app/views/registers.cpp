// All registers of the selected frame, in the form that is chosen.
#include <fmt/format.h>

#include <cstring>

#include "inspector/app/ui/edited_value.h"
#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

enum class Form : int { Integer, Float32, Float64, Text };

uint64_t integer_at(std::span<const uint8_t> bytes) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), std::min<size_t>(bytes.size(), 8));  // both are little-endian
  return value;
}

template <typename T>
std::string numbers(std::span<const uint8_t> bytes) {
  std::string text;
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    text += fmt::format("{}{:g}", text.empty() ? "" : " ", value);
  }
  return text;
}

std::string characters(std::span<const uint8_t> bytes) {
  std::string text;
  for (const uint8_t byte : bytes) text += byte >= 0x20 && byte < 0x7f ? char(byte) : '.';
  return text;
}

// The highest byte first, as numbers are read.
std::string digits(std::span<const uint8_t> bytes) {
  std::string text = "0x";
  for (size_t index = bytes.size(); index-- > 0;) text += fmt::format("{:02x}", bytes[index]);
  return text;
}

std::string value_text(const Workspace& workspace, const RegisterFacts& one, Form form) {
  if (one.bytes.empty()) return "not known";
  if (form == Form::Float32 && one.bytes.size() >= 4) return numbers<float>(one.bytes);
  if (form == Form::Float64 && one.bytes.size() >= 8) return numbers<double>(one.bytes);
  if (form == Form::Text) return characters(one.bytes);
  if (one.bytes.size() <= 8 && !workspace.hexadecimal) return std::to_string(int64_t(integer_at(one.bytes)));
  return one.bytes.size() <= 8 ? fmt::format("{:#x}", integer_at(one.bytes)) : digits(one.bytes);
}

class RegistersView : public View {
 public:
  void draw(Workspace& workspace) override {
    if (filtering_) ui::filter("##filter", "Filter registers", filter_, focus_);  // also while they are read
    const auto sets = workspace.session->registers(workspace.thread(), workspace.frame());
    if (!sets) return ui::nothing(sets.problem, sets.pending || workspace.thread() == 0, "No registers are known");
    for (const auto& [title, form] : {std::pair{"integers", Form::Integer}, std::pair{"floats", Form::Float32},
                                      std::pair{"doubles", Form::Float64}, std::pair{"text", Form::Text}}) {
      if (ui::link(title, title, form_ == form ? Tint::Text : Tint::Dim)) form_ = form;
      ImGui::SameLine();
    }
    ImGui::NewLine();
    ImGui::BeginChild("sets");
    for (const RegisterSet& set : *sets) draw_set(workspace, set, &set == &sets->front());
    ImGui::EndChild();
  }

  void find() override { filtering_ = focus_ = true; }

  std::string copied(Workspace& workspace) override {
    std::string text;
    const auto sets = workspace.session->registers(workspace.thread(), workspace.frame());
    if (sets)
      for (const RegisterSet& set : *sets)
        for (const RegisterFacts& one : set.registers)
          text += fmt::format("{:<12} {}\n", one.name, value_text(workspace, one, form_));
    return text;
  }

 private:
  void draw_set(Workspace& workspace, const RegisterSet& set, bool first) {
    if (!filter_.empty()) ImGui::SetNextItemOpen(true);
    if (!ImGui::TreeNodeEx(set.name.c_str(), ImGuiTreeNodeFlags_NoTreePushOnOpen |
                                                 (first ? ImGuiTreeNodeFlags_DefaultOpen : ImGuiTreeNodeFlags_None)))
      return;
    size_t widest = 3;
    for (const RegisterFacts& one : set.registers) widest = std::max(widest, one.name.size());
    for (const RegisterFacts& one : set.registers) {
      if (!ui::fits_filter(filter_, one.name)) continue;
      draw_register(workspace, one, widest, first);
    }
  }

  void draw_register(Workspace& workspace, const RegisterFacts& one, size_t widest, bool general) const {
    const float y = ImGui::GetCursorPosY();
    const std::string value = value_text(workspace, one, form_), id = "register " + one.name;
    ui::text(Tint::Register, fmt::format("{:<{}}", one.name, widest));
    ImGui::SameLine();
    const ImGuiID field = ImGui::GetID(id.c_str());
    const auto set = [&](const std::string& text) {
      workspace.session->assign("$" + one.name, text, workspace.thread(), workspace.frame());
    };
    if (ui::draw_field(workspace, field, set)) return;
    const Tint tint = one.bytes.empty() ? Tint::Faint : one.changed ? Tint::Changed : Tint::Text;
    const bool pointer = one.bytes.size() == 8;
    if (pointer && form_ == Form::Integer) {
      if (ui::link(id, value, tint))
        workspace.go(
            {.view = "memory", .thread = 0, .frame = 0, .address = integer_at(one.bytes), .file = {}, .line = 0});
    } else {
      ui::text(tint, value);
    }
    if (ui::begin_context_menu(id, value)) {
      const bool can_be_set =
          general && workspace.frame() == 0 && !one.bytes.empty() && ui::stands_still(*workspace.session);
      if (ImGui::MenuItem("Set the value", nullptr, false, can_be_set)) ui::begin_editing(workspace, value, field);
      if (pointer) ui::address_menu(workspace, integer_at(one.bytes));
      ui::end_context_menu();
    }
    if (one.changed) ui::tooltip("changed since the last stop");
    if (!one.place.empty()) {
      ImGui::SameLine(glyph_width() * float(widest + 22));
      ui::text(Tint::Dim, one.place);
    }
    ui::end_row(y);
  }

  Form form_ = Form::Integer;
  std::string filter_;
  bool filtering_ = false, focus_ = false;
};

const ViewRegistration registers_registration{
    {.name = "registers", .title = "Registers", .keys = "Alt+8", .place = 80, .make = make_view<RegistersView>}};

}  // namespace
}  // namespace mortem::inspector::app
