// A value that is changed where it is shown: it becomes a field until Enter, Escape or a click elsewhere.
#pragma once

#include <functional>
#include <string>

#include "inspector/app/workspace.h"

namespace mortem::inspector::app::ui {

bool stands_still(const Session& session);  // a running guest that is stopped: else nothing can be changed
void begin_editing(Workspace& workspace, const std::string& text, unsigned id);
// `set` gets what was entered. False: it is not this value that is changed.
bool draw_field(Workspace& workspace, unsigned id, const std::function<void(const std::string&)>& set);

}  // namespace mortem::inspector::app::ui
