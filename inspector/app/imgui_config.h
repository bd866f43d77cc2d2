// Dear ImGui's own switches, the same for its files and ours.
#pragma once

#include <cstdio>
#include <cstdlib>

#define IMGUI_DISABLE_OBSOLETE_FUNCTIONS
#define IMGUI_DISABLE_DEMO_WINDOWS
// In every build: a stack of windows that is not balanced would otherwise draw nonsense and be found by nobody.
#define IM_ASSERT(condition) \
  ((condition) ? (void)0     \
               : (std::fprintf(stderr, "mortem-inspector: %s:%d: %s\n", __FILE__, __LINE__, #condition), std::abort()))
