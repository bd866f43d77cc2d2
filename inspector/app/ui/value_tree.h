// A value with its parts, which are asked for when they are opened.
#pragma once

#include "inspector/app/workspace.h"

namespace mortem::inspector::app::ui {

// Inside a table of three columns: name, value, type.
void value_row(Workspace& workspace, const ValueFacts& value, const std::string& expression, Tint name_tint);
// Begins that table; false: nothing of it is seen.
bool begin_value_table(const char* id);

}  // namespace mortem::inspector::app::ui
