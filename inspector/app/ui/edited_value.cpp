#include "inspector/app/ui/edited_value.h"

#include <imgui_internal.h>
#include <imgui_stdlib.h>

#include <algorithm>

#include "inspector/app/ui/elements.h"

namespace mortem::inspector::app::ui {

bool stands_still(const Session& session) {
  return session.live() && session.phase() == Phase::Stopped;
}

void begin_editing(Workspace& workspace, const std::string& text, unsigned id) {
  constexpr int kTries = 5;
  workspace.edited = {id, text, kTries};
}

bool draw_field(Workspace& workspace, unsigned id, const std::function<void(const std::string&)>& set) {
  constexpr float kLeastWidth = 12;
  EditedValue& edited = workspace.edited;
  if (edited.id != id) return false;
  ImGui::SetNextItemWidth(std::max(ImGui::GetContentRegionAvail().x, kLeastWidth * glyph_width()));
  const bool begins = edited.tries > 0;
  if (begins) {
    // As SetKeyboardFocusHere(), which does nothing here while a menu closes.
    ImGuiContext& context = *ImGui::GetCurrentContext();
    context.NavNextActivateId = ImGui::GetID("##value");
    context.NavNextActivateFlags = ImGuiActivateFlags_PreferInput;
  }
  const bool entered = ImGui::InputText("##value", &edited.text,
                                        ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_AutoSelectAll);
  if (begins) edited.tries = ImGui::IsItemActive() ? 0 : edited.tries - 1;
  if (entered) set(edited.text);
  if (entered || (!begins && !ImGui::IsItemActive()) || !stands_still(*workspace.session)) edited = {};
  return true;
}

}  // namespace mortem::inspector::app::ui
