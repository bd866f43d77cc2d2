#include "inspector/app/theme/theme.h"

#include <array>
#include <filesystem>

namespace mortem::inspector::app {
namespace {

using Palette = std::array<uint32_t, size_t(Tint::Count)>;  // 0xRRGGBB, by Tint

constexpr Palette kDark = {
    0xd6dae2, 0x8b93a3, 0x545c6b, 0x6cb2ff, 0x7fc98a, 0xe5c07b, 0xf2777a, 0xff9e64,  //
    0xc792ea, 0x7fd1c7, 0xa5d383, 0xf0a875, 0x6f7a8c, 0x82b4ff, 0xd0a0c0, 0x9fc9e8, 0x8ea3bd,  //
    0x15181e, 0x1b1f27, 0x252b36, 0x303846, 0x4a3a1a, 0x23344a, 0x2b4668,
};
constexpr Palette kLight = {
    0x1f2430, 0x667084, 0xa4abb8, 0x0a63c9, 0x23803a, 0x966300, 0xc42b2b, 0xb85000,  //
    0x8a2fb8, 0x0b7a75, 0x3d7d1c, 0xa8480f, 0x8390a2, 0x1b55b5, 0x9b3f7c, 0x1f5f8f, 0x5b6d86,  //
    0xf1f3f6, 0xffffff, 0xe4e8ee, 0xcfd5de, 0xfff0c2, 0xdfeaf8, 0xc6dcf7,
};

Brightness current = Brightness::Dark;
ImFont* bold = nullptr;

ImVec4 vector_of(uint32_t rgb, float alpha = 1) {
  return {float(rgb >> 16 & 255) / 255, float(rgb >> 8 & 255) / 255, float(rgb & 255) / 255, alpha};
}

uint32_t value_of(Tint tint) { return (current == Brightness::Dark ? kDark : kLight)[size_t(tint)]; }

ImVec4 faded(Tint tint, float alpha) { return vector_of(value_of(tint), alpha); }

void set_colours(ImVec4* to) {
  const auto set = [to](ImGuiCol what, ImVec4 colour) { to[what] = colour; };
  set(ImGuiCol_Text, faded(Tint::Text, 1));
  set(ImGuiCol_TextDisabled, faded(Tint::Dim, 1));
  set(ImGuiCol_WindowBg, faded(Tint::Window, 1));
  set(ImGuiCol_ChildBg, faded(Tint::Panel, 1));
  set(ImGuiCol_PopupBg, faded(Tint::Panel, 1));
  set(ImGuiCol_Border, faded(Tint::Border, 1));
  set(ImGuiCol_BorderShadow, ImVec4(0, 0, 0, 0));
  set(ImGuiCol_FrameBg, faded(Tint::Raised, 1));
  set(ImGuiCol_FrameBgHovered, faded(Tint::Border, 1));
  set(ImGuiCol_FrameBgActive, faded(Tint::Border, 1));
  set(ImGuiCol_TitleBg, faded(Tint::Panel, 1));
  set(ImGuiCol_TitleBgActive, faded(Tint::Panel, 1));
  set(ImGuiCol_MenuBarBg, faded(Tint::Window, 1));
  set(ImGuiCol_ScrollbarBg, ImVec4(0, 0, 0, 0));
  set(ImGuiCol_ScrollbarGrab, faded(Tint::Border, 1));
  set(ImGuiCol_ScrollbarGrabHovered, faded(Tint::Faint, 1));
  set(ImGuiCol_ScrollbarGrabActive, faded(Tint::Dim, 1));
  set(ImGuiCol_CheckMark, faded(Tint::Accent, 1));
  set(ImGuiCol_SliderGrab, faded(Tint::Accent, 1));
  set(ImGuiCol_Button, faded(Tint::Raised, 1));
  set(ImGuiCol_ButtonHovered, faded(Tint::Border, 1));
  set(ImGuiCol_ButtonActive, faded(Tint::Selection, 1));
  set(ImGuiCol_Header, faded(Tint::Selection, 1));
  set(ImGuiCol_HeaderHovered, faded(Tint::Raised, 1));
  set(ImGuiCol_HeaderActive, faded(Tint::Selection, 1));
  set(ImGuiCol_Separator, faded(Tint::Border, 1));
  set(ImGuiCol_SeparatorHovered, faded(Tint::Accent, 0.6f));
  set(ImGuiCol_SeparatorActive, faded(Tint::Accent, 1));
  set(ImGuiCol_Tab, faded(Tint::Window, 1));
  set(ImGuiCol_TabHovered, faded(Tint::Raised, 1));
  set(ImGuiCol_TabActive, faded(Tint::Panel, 1));
  set(ImGuiCol_TabUnfocused, faded(Tint::Window, 1));
  set(ImGuiCol_TabUnfocusedActive, faded(Tint::Panel, 1));
  set(ImGuiCol_TableHeaderBg, faded(Tint::Panel, 1));
  set(ImGuiCol_TableBorderStrong, faded(Tint::Border, 1));
  set(ImGuiCol_TableBorderLight, faded(Tint::Border, 0.5f));
  set(ImGuiCol_TableRowBg, ImVec4(0, 0, 0, 0));
  set(ImGuiCol_TableRowBgAlt, faded(Tint::Raised, 0.25f));
  set(ImGuiCol_TextSelectedBg, faded(Tint::Selection, 1));
  set(ImGuiCol_DragDropTarget, faded(Tint::Accent, 1));
  set(ImGuiCol_NavHighlight, faded(Tint::Accent, 0.7f));
  set(ImGuiCol_ModalWindowDimBg, ImVec4(0, 0, 0, current == Brightness::Dark ? 0.45f : 0.2f));
  set(ImGuiCol_PlotHistogram, faded(Tint::Accent, 1));
}

ImFont* add_font(const char* file, float pixels) {
  static constexpr ImWchar ranges[] = {0x0020, 0x024f,  // Latin
                                       0x0370, 0x03ff, 0x0400, 0x045f,  // Greek, Cyrillic
                                       0x2010, 0x2027, 0x2190, 0x21ff,  // dashes, dots; arrows
                                       0x2200, 0x2265, 0x2500, 0x25ff,  // operators; lines, blocks, shapes
                                       0x2713, 0x2717, 0xfffd, 0xfffd, 0};
  ImFontConfig config;
  config.OversampleH = 1;  // glyphs stand on whole pixels
  config.OversampleV = 1;
  config.PixelSnapH = true;
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    config.SizePixels = pixels;
    return ImGui::GetIO().Fonts->AddFontDefault(&config);
  }
  return ImGui::GetIO().Fonts->AddFontFromFileTTF(file, pixels, &config, ranges);
}

}  // namespace

void set_brightness(Brightness brightness) {
  current = brightness;
  set_colours(ImGui::GetStyle().Colors);
}

Brightness brightness() { return current; }
ImU32 colour(Tint tint) { return ImGui::ColorConvertFloat4ToU32(vector_of(value_of(tint))); }
ImVec4 colour_vector(Tint tint) { return vector_of(value_of(tint)); }
ImU32 faded_colour(Tint tint, float opacity) { return ImGui::ColorConvertFloat4ToU32(faded(tint, opacity)); }

void build_fonts(float pixels) {
  ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
  atlas.Clear();
  atlas.Flags |= ImFontAtlasFlags_NoPowerOfTwoHeight;
  add_font("/usr/share/fonts/truetype/jetbrains-mono/JetBrainsMono-Regular.ttf", pixels);
  bold = add_font("/usr/share/fonts/truetype/jetbrains-mono/JetBrainsMono-Bold.ttf", pixels);
  atlas.Build();

  const float scale = pixels / kFontPixels;
  ImGuiStyle style;
  style.WindowPadding = ImVec2(10, 8);
  style.FramePadding = ImVec2(8, 4);
  style.CellPadding = ImVec2(6, 2);
  style.ItemSpacing = ImVec2(8, 5);
  style.ItemInnerSpacing = ImVec2(6, 4);
  style.IndentSpacing = 18;
  style.ScrollbarSize = 12;
  style.WindowBorderSize = 0;
  style.ChildBorderSize = 0;
  style.PopupBorderSize = 1;
  style.FrameRounding = style.PopupRounding = 4;
  style.ScrollbarRounding = 6;
  style.TabRounding = 4;
  style.TabBorderSize = 0;
  style.SeparatorTextBorderSize = 1;
  style.ScaleAllSizes(scale);
  ImGui::GetStyle() = style;
  set_brightness(current);
}

ImFont* bold_font() { return bold; }
float glyph_width() { return ImGui::GetFont()->GetCharAdvance('0') * ImGui::GetFontSize() / ImGui::GetFont()->FontSize; }
float line_height() { return ImGui::GetTextLineHeight() + 3 * ImGui::GetFontSize() / kFontPixels; }

}  // namespace mortem::inspector::app
