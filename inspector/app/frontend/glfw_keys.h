// GLFW's keys as ImGui's.
#pragma once

#include <imgui.h>

namespace mortem::inspector::app {

// `scan`: of the machine, for keys that the layout has put elsewhere (a command is Ctrl and a letter, not a place).
ImGuiKey imgui_key(int glfw_key, int scan);

}  // namespace mortem::inspector::app
