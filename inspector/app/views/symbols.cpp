// Functions and data of all modules by name, and types with the places of their members.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

constexpr size_t kMostSymbols = 5000;  // in one list

class SymbolsView : public View {
 public:
  void draw(Workspace& workspace) override {
    const auto choice = [this](const char* title, bool types) {
      if (ui::link(title, title, types_ == types ? Tint::Text : Tint::Dim)) types_ = types;
      ImGui::SameLine();
    };
    choice("Symbols", false);
    choice("Types", true);
    ImGui::NewLine();
    if (types_)
      draw_type(workspace);
    else
      draw_symbols(workspace);
  }

  void find() override { focus_ = true; }

  std::string copied(Workspace& workspace) override {
    if (types_) return type_text_;
    std::string text;
    if (const auto list = workspace.session->symbols(filter_, kMostSymbols))
      for (const SymbolFacts& one : list->symbols) text += fmt::format("{:#x}\t{}\n", one.address, one.name);
    return text;
  }

 private:
  void draw_symbols(Workspace& workspace) {
    ui::filter("##filter", "A part of a function's or a variable's name", filter_, focus_);
    const auto list = workspace.session->symbols(filter_, kMostSymbols);
    if (!list) return ui::nothing(list.problem, list.pending, "No symbols");
    if (list->symbols.empty()) return ui::nothing("", list.pending, "No symbol fits");
    ImGui::BeginChild("symbols");
    ImGuiListClipper clipper;
    clipper.Begin(int(list->symbols.size()), line_height());
    while (clipper.Step())
      for (int index = clipper.DisplayStart; index < clipper.DisplayEnd; ++index)
        draw_symbol(workspace, list->symbols[size_t(index)], index);
    if (list->more > 0) ui::text(Tint::Dim, fmt::format("{} more: type more of the name", list->more));
    ImGui::EndChild();
  }

  static void draw_symbol(Workspace& workspace, const SymbolFacts& one, int index) {
    const std::string id = fmt::format("symbol {}", index);
    const float y = ImGui::GetCursorPosY();
    if (ui::row(id, false))
      workspace.go({.view = one.function ? "disassembly" : "memory",
                    .thread = 0,
                    .frame = 0,
                    .address = one.address,
                    .file = {},
                    .line = 0});
    if (ImGui::IsItemHovered(ImGuiHoveredFlags_ForTooltip))
      ui::tooltip(fmt::format("{}\n{}\n{}", one.name, one.module,
                              one.size > 0 ? ui::size_text(one.size) : std::string("its size is not known")));
    if (ui::begin_context_menu(id, one.name)) {
      ui::address_menu(workspace, one.address);
      ui::end_context_menu();
    }
    ui::text(Tint::Address, fmt::format("{:#018x}", one.address));
    ImGui::SameLine();
    ui::text(Tint::Dim, fmt::format("{:>8}", one.size > 0 ? fmt::format("{}", one.size) : ""));
    ImGui::SameLine();
    ui::text(one.function ? Tint::Function : Tint::Text, one.name);
    ImGui::SameLine();
    ui::text(Tint::Faint, ui::file_name(one.module));
    ui::end_row(y);
  }

  void draw_type(Workspace& workspace) {
    ImGui::SetNextItemWidth(-1);
    if (std::exchange(focus_, false)) ImGui::SetKeyboardFocusHere();
    if (ImGui::InputTextWithHint("##type", "The whole name of a type, and Enter: connection, std::string", &typed_,
                                 ImGuiInputTextFlags_EnterReturnsTrue))
      name_ = typed_;
    type_text_.clear();
    if (name_.empty()) return ui::nothing("", false, "Its members stand here, with their places and the holes between");
    const auto type = workspace.session->type(name_);
    if (!type) return ui::nothing(type.problem, type.pending, "No such type");
    add(fmt::format("{} {}{}", type->kind, type->name,
                    type->size ? fmt::format("   {} bytes", *type->size) : std::string("   only declared")));
    ui::bold(Tint::Type, type_text_);
    for (const auto& member : type->members) {
      const std::string place = member.bit_size ? fmt::format("{:>6}:{:<3}", member.offset, *member.bit_offset)
                                                : fmt::format("{:>6}    ", member.offset);
      const std::string size = member.bit_size ? fmt::format("{} bits", *member.bit_size)
                               : member.size   ? fmt::format("{}", *member.size)
                                               : std::string("?");
      add(fmt::format("{} {:>8}  {} {}", place, size, member.type, member.name));
      ui::text(Tint::Dim, fmt::format("{} {:>8} ", place, size));
      ImGui::SameLine(0, 0);
      ui::text(Tint::Type, member.type);
      ImGui::SameLine();
      ui::text(Tint::Text, member.name);
      if (member.hole_after > 0) {
        add(fmt::format("       {:>8}  (hole)", member.hole_after));
        ui::text(Tint::Warning, fmt::format("{:>6}    {:>8}  hole", "", member.hole_after));
      }
    }
    for (const auto& [name, value] : type->enumerators) {
      add(fmt::format("  {} = {}", name, value));
      ui::text(Tint::Text, fmt::format("  {} = {}", name, value));
    }
  }

  void add(const std::string& line) { type_text_ += (type_text_.empty() ? "" : "\n") + line; }

  bool types_ = false, focus_ = false;
  std::string filter_, typed_, name_, type_text_;
};

const ViewRegistration symbols_registration{
    {.name = "symbols", .title = "Symbols", .place = 130, .make = make_view<SymbolsView>}};

}  // namespace
}  // namespace mortem::inspector::app
