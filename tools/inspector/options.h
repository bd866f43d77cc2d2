// What `mortem open` takes and gives to the program mortem-inspector, which is one of its own so that the command links
// neither OpenGL nor a window system.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tools/symbol_options.h"

namespace mortem::tools {

struct InspectorOptions {
  std::string target;  // empty: the welcome page
  std::string view;
  bool offscreen = false;
  std::string screenshot;
  std::string null_script, script, record;
  std::string size, theme;
  float scale = 0;
  std::string settings;
  bool no_settings = false;
  std::vector<std::string> source_folders;
  SymbolFlags symbols;
};

void add_inspector_options(CLI::App* app, InspectorOptions& options);
// The same as arguments.
std::vector<std::string> inspector_arguments(const InspectorOptions& options);

}  // namespace mortem::tools
