// The pieces that views are made of, so that a value, an address and a place look and behave the same everywhere.
#pragma once

#include <imgui.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "inspector/app/theme/theme.h"
#include "inspector/app/workspace.h"

namespace mortem::inspector::app::ui {

void text(Tint tint, std::string_view text);
void bold(Tint tint, std::string_view text);
void wrapped(Tint tint, std::string_view text);
// A heading inside a view.
void heading(std::string_view text);
// Text that does something: underlined under the mouse. True: it was clicked.
bool link(std::string_view id, std::string_view text, Tint tint = Tint::Accent);
// An address as it is written everywhere. A click shows the memory there; its context menu offers the rest.
void address(Workspace& workspace, std::string_view id, uint64_t address);
// Menu entries for an address, inside a popup that is open.
void address_menu(Workspace& workspace, uint64_t address);
// "Copy" in the context menu of the last item; more entries may be added before end_context_menu.
bool begin_context_menu(std::string_view id, const std::string& copied);
void end_context_menu();
// A selectable line over the whole width; `shown` is drawn by the caller, on the same line after it.
bool row(std::string_view id, bool selected);
// Instead of a row that is scrolled out of sight; false: it is in sight, and has to be drawn.
bool skip_row();
// Puts the cursor where the next row begins; `y` is where this one did.
void end_row(float y);
// A field that filters a list: as wide as there is room. True: it changed.
bool filter(const char* id, const char* hint, std::string& text, bool& focus);
bool fits_filter(std::string_view filter, std::string_view text);  // all its words, whatever their case

// Where a view has nothing to show yet: why. `pending`: it is being found out.
void nothing(const std::string& problem, bool pending, const char* otherwise);
void tooltip(std::string_view text);  // of the last item, under the mouse

std::string hex(uint64_t value);                                 // "0x1f"
std::string number(const Workspace& workspace, uint64_t value);  // in the base that is chosen
std::string file_name(std::string_view path);                    // its last part
std::string short_path(std::string_view path, size_t most);      // its end, "…/net/conn.c"
std::string size_text(uint64_t bytes);                           // "4.0 KiB"

}  // namespace mortem::inspector::app::ui
