// A value with its parts, which are asked for when they are opened.
#pragma once

#include "inspector/app/workspace.h"

namespace mortem::inspector::app::ui {

// Inside a table of three columns: name, value, type. A number of a live guest that stands still is set by a double
// click on it; it comes back from the guest.
void value_row(Workspace& workspace, const ValueFacts& value, const std::string& expression, Tint name_tint);
// Begins that table; false: nothing of it is seen.
bool begin_value_table(const char* id);

}  // namespace mortem::inspector::app::ui
