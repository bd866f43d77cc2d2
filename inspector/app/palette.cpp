#include "inspector/app/palette.h"

#include <imgui_stdlib.h>

#include <algorithm>

#include "inspector/app/ui/elements.h"

namespace mortem::inspector::app {
namespace {

constexpr size_t kLinesShown = 14;

}  // namespace

void Palette::open() {
  shown_ = appearing_ = true;
  asked_ = nullptr;
  typed_.clear();
  selected_ = 0;
  picked_ = false;
}

void Palette::ask(const Command& command) {
  open();
  asked_ = &command;
}

void Palette::add_commands(std::vector<Line>& to) const {
  for (const Command& command : workspace_.commands.all()) {
    Line line{command.title, command.menu, command.keys, {}, &command, unavailable(command), 0};
    line.fitness = std::max(fitness(typed_, command.title), fitness(typed_, command.menu + " " + command.title) - 4);
    if (line.fitness < 0 || (!typed_.empty() && line.fitness == 0)) continue;
    if (!line.unavailable.empty()) line.fitness -= 1000;  // last, with the reason
    to.push_back(std::move(line));
  }
  std::stable_sort(to.begin(), to.end(), [](const Line& left, const Line& right) { return left.fitness > right.fitness; });
}

void Palette::add_suggestions(std::vector<Line>& to) const {
  if (!asked_->suggest) return;
  for (const Suggestion& one : asked_->suggest(typed_)) to.push_back({one.text, {}, one.detail, one.argument, asked_, {}, 0});
}

std::vector<Palette::Line> Palette::lines() const {
  std::vector<Line> found;
  if (asked_)
    add_suggestions(found);
  else
    add_commands(found);
  return found;
}

void Palette::choose(const Line& line) {
  if (!line.unavailable.empty()) {
    workspace_.jobs.report(line.command->title, line.unavailable);
    return close();
  }
  if (asked_) {
    workspace_.command(asked_->name, line.argument);
    return close();
  }
  if (!line.command->argument.empty()) return ask(*line.command);
  workspace_.command(line.command->name);
  close();
}

void Palette::choose_typed() {
  if (typed_.empty()) return;
  workspace_.command(asked_->name, typed_);
  close();
}

void Palette::draw() {
  if (!shown_) return;
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float width = std::min(ImGui::GetFontSize() * 46, display.x - 20);
  ImGui::SetNextWindowPos(ImVec2(display.x / 2, ImGui::GetFontSize() * 3.5f), ImGuiCond_Always, ImVec2(0.5f, 0));
  ImGui::SetNextWindowSize(ImVec2(width, 0));
  if (appearing_) ImGui::SetNextWindowFocus();
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colour(Tint::Raised));
  ImGui::PushStyleColor(ImGuiCol_FrameBg, colour(Tint::Panel));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 1);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 8);
  ImGui::Begin("##palette", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoMove);
  if (asked_) ui::text(Tint::Accent, asked_->title);
  ImGui::SetNextItemWidth(-1);
  if (appearing_) ImGui::SetKeyboardFocusHere();
  const char* hint = asked_ ? asked_->argument.c_str() : "Type a few letters of a command";
  // One field an asking: what was typed for another one must not come back.
  ImGui::PushID(asked_);
  const bool entered = ImGui::InputTextWithHint("##typed", hint, &typed_, ImGuiInputTextFlags_EnterReturnsTrue);
  if (ImGui::IsItemEdited()) {
    selected_ = 0;
    picked_ = false;
  }
  ImGui::PopID();
  const bool left_alone = !appearing_ && !ImGui::IsWindowFocused(ImGuiFocusedFlags_RootAndChildWindows);
  appearing_ = false;

  const std::vector<Line> found = lines();
  const bool down = ImGui::IsKeyPressed(ImGuiKey_DownArrow), up = ImGui::IsKeyPressed(ImGuiKey_UpArrow);
  if (down && (picked_ || !asked_ || !asked_->typed_first)) ++selected_;
  if (up && selected_ > 0) --selected_;
  picked_ = picked_ || down || up;
  if (selected_ >= found.size()) selected_ = found.empty() ? 0 : found.size() - 1;
  const size_t first = selected_ >= kLinesShown ? selected_ - kLinesShown + 1 : 0;
  const Line* chosen = nullptr;
  for (size_t index = first; index < std::min(first + kLinesShown, found.size()); ++index) {
    const Line& line = found[index];
    ImGui::PushID(int(index));
    if (ui::row("line", index == selected_ && (picked_ || !asked_ || !asked_->typed_first))) chosen = &line;
    const Tint tint = line.unavailable.empty() ? Tint::Text : Tint::Faint;
    if (!line.group.empty()) {
      ui::text(Tint::Dim, line.group + ":");
      ImGui::SameLine();
    }
    ui::text(tint, line.text);
    const std::string& right = line.unavailable.empty() ? line.detail : line.unavailable;
    if (!right.empty()) {
      const float wide = ImGui::CalcTextSize(right.c_str()).x;
      ImGui::SameLine(std::max(width - wide - ImGui::GetFontSize(), ImGui::GetCursorPosX()));
      ui::text(Tint::Dim, right);
    }
    ImGui::PopID();
  }
  if (found.empty() && !asked_) ui::text(Tint::Dim, "No command has these letters");
  if (found.size() > kLinesShown) ui::text(Tint::Dim, "↑ ↓ for more, Enter runs, Escape closes");
  ImGui::End();
  ImGui::PopStyleVar(2);
  ImGui::PopStyleColor(2);

  const Command* before = asked_;
  if (chosen)
    choose(*chosen);
  else if (entered && !found.empty() && (picked_ || !asked_ || !asked_->typed_first))
    choose(found[selected_]);
  else if (entered && asked_)
    choose_typed();
  else if (ImGui::IsKeyPressed(ImGuiKey_Escape) || left_alone)
    close();
  if (before != asked_) appearing_ = shown_;
}

}  // namespace mortem::inspector::app
