#include "inspector/app/ui/value_tree.h"

#include <fmt/format.h>

#include "inspector/app/ui/edited_value.h"
#include "inspector/app/ui/elements.h"

namespace mortem::inspector::app::ui {
namespace {

constexpr uint64_t kPage = 200;

// Numbers and pointers in the memory of a guest that stands still.
bool can_be_set(const Workspace& workspace, const ValueFacts& value) {
  const Session& session = *workspace.session;
  return value.handle != 0 && value.address && !value.elements && (!value.expandable || value.pointer) &&
         stands_still(session);
}

void edit(Workspace& workspace, const ValueFacts& value, ImGuiID id) {
  begin_editing(workspace, value.text.substr(0, value.text.find(' ')), id);
}

void draw_menu(Workspace& workspace, const ValueFacts& value, const std::string& expression, ImGuiID id) {
  if (!begin_context_menu("value", value.text)) return;
  if (ImGui::MenuItem("Copy name and value"))
    ImGui::SetClipboardText(fmt::format("{} = {}", value.name, value.text).c_str());
  if (ImGui::MenuItem("Set the value", nullptr, false, can_be_set(workspace, value))) edit(workspace, value, id);
  if (!expression.empty() && ImGui::MenuItem("Watch it")) workspace.command("watch.add", expression);
  const auto show = [&](const char* title, uint64_t address) {
    if (ImGui::MenuItem(title))
      workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = address, .file = {}, .line = 0});
  };
  if (value.address) show("Show its memory", *value.address);
  if (value.pointer) show("Show the memory it points to", *value.pointer);
  if (value.address && ImGui::MenuItem("Find pointers to it"))
    workspace.command("search.pointers", hex(*value.address));
  end_context_menu();
}

void draw_children(Workspace& workspace, const ValueFacts& value, const std::string& expression) {
  // Pages that were asked for so far, one after another.
  ImGuiStorage& storage = *ImGui::GetStateStorage();
  const ImGuiID id = ImGui::GetID("pages");
  const int pages = storage.GetInt(id, 1);
  for (int page = 0; page < pages; ++page) {
    const auto children = workspace.session->children(value.handle, uint64_t(page) * kPage, kPage);
    if (!children) {
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      nothing(children.problem, children.pending, "nothing");
      return;
    }
    for (size_t index = 0; index < children->size(); ++index) {
      const ValueFacts& child = (*children)[index];
      ImGui::PushID(page * int(kPage) + int(index));
      std::string inner;
      if (!expression.empty() && !value.elements && !child.name.empty() && !value.pointer)
        inner = fmt::format("{}.{}", expression, child.name);
      value_row(workspace, child, inner, Tint::Text);
      ImGui::PopID();
    }
    if (children->size() < kPage) return;
  }
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  if (link("more", fmt::format("{} more", kPage))) storage.SetInt(id, pages + 1);
}

void draw_value(Workspace& workspace, const ValueFacts& value, ImGuiID id) {
  if (value.pointer) {
    if (link("pointer", value.text, Tint::Address))
      workspace.go({.view = "memory", .thread = 0, .frame = 0, .address = value.pointer, .file = {}, .line = 0});
  } else {
    text(value.known ? Tint::Text : Tint::Warning, value.text);
    if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left) && can_be_set(workspace, value))
      edit(workspace, value, id);
  }
  tooltip(value.note.empty() ? value.text : fmt::format("{}\n{}", value.text, value.note));
}

}  // namespace

bool begin_value_table(const char* id) {
  if (!ImGui::BeginTable(id, 3, ImGuiTableFlags_Resizable | ImGuiTableFlags_ScrollY | ImGuiTableFlags_BordersInnerV))
    return false;
  ImGui::TableSetupScrollFreeze(0, 1);
  ImGui::TableSetupColumn("Name", ImGuiTableColumnFlags_WidthStretch, 0.36f);
  ImGui::TableSetupColumn("Value", ImGuiTableColumnFlags_WidthStretch, 0.40f);
  ImGui::TableSetupColumn("Type", ImGuiTableColumnFlags_WidthStretch, 0.24f);
  ImGui::TableHeadersRow();
  return true;
}

void value_row(Workspace& workspace, const ValueFacts& value, const std::string& expression, Tint name_tint) {
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  ImGui::PushStyleColor(ImGuiCol_Text, colour(name_tint));
  const std::string name = value.name.empty() ? "(no name)" : value.name;
  ImGuiTreeNodeFlags flags = ImGuiTreeNodeFlags_SpanAvailWidth | ImGuiTreeNodeFlags_OpenOnArrow;
  if (!value.expandable) flags |= ImGuiTreeNodeFlags_Leaf | ImGuiTreeNodeFlags_NoTreePushOnOpen;
  const bool open = ImGui::TreeNodeEx("##node", flags, "%s", name.c_str());
  const ImGuiID id = ImGui::GetItemID();
  ImGui::PopStyleColor();
  draw_menu(workspace, value, expression, id);
  ImGui::TableNextColumn();
  const auto set = [&](const std::string& text) {
    workspace.session->assign(value.handle, value.name, text, workspace.thread(), workspace.frame());
  };
  if (!draw_field(workspace, id, set)) draw_value(workspace, value, id);
  ImGui::TableNextColumn();
  text(Tint::Dim, value.type);
  tooltip(value.type);
  if (value.expandable && open) {
    draw_children(workspace, value, expression);
    ImGui::TreePop();
  }
}

}  // namespace mortem::inspector::app::ui
