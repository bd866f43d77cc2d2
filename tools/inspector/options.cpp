#include "tools/inspector/options.h"

#include <fmt/format.h>

namespace mortem::tools {
namespace {

std::string check_size(const std::string& text) {
  int width = 0, height = 0, read = 0;
  const bool fits = std::sscanf(text.c_str(), "%dx%d%n", &width, &height, &read) == 2 && size_t(read) == text.size() &&
                    width >= 320 && height >= 200 && width <= 8192 && height <= 8192;
  return fits ? std::string() : text + " is not WIDTHxHEIGHT, from 320x200 to 8192x8192";
}

}  // namespace

void add_inspector_options(CLI::App* app, InspectorOptions& options) {
  app->add_option("TARGET", options.target, "A dump, any x86-64 ELF core, or the name of a running guest")
      ->type_name("TARGET");
  app->add_option("--view", options.view, "The view to begin with: summary, source, memory, ...")->type_name("NAME");
  app->add_flag("--egl", options.offscreen, "Draw without a display, by Mesa's software driver");
  app->add_option("--screenshot", options.screenshot, "Draw one frame, write it there and leave (with --egl)")
      ->type_name("FILE.png");
  app->add_option("--null", options.null_script, "Run a script without drawing anything")->type_name("SCRIPT");
  app->add_option("--script", options.script, "Run a script in the window, or with --egl")->type_name("SCRIPT");
  app->add_option("--record", options.record, "Write what is done in the window as a script")->type_name("SCRIPT");
  app->add_option("--size", options.size, "Of the window, in pixels")->type_name("WIDTHxHEIGHT")->check(check_size);
  app->add_option("--scale", options.scale, "Of text and distances; else as the display says")
      ->type_name("FACTOR")
      ->check(CLI::Range(0.5, 4.0));
  app->add_option("--theme", options.theme)->type_name("dark|light")->check(CLI::IsMember({"dark", "light"}));
  app->add_option("--settings", options.settings, "Where layout, recent targets and watches are kept")
      ->type_name("FILE");
  app->add_flag("--no-settings", options.no_settings, "Begin as new, keep nothing");
  app->add_option("--source-dir", options.source_folders,
                  "A checkout in which sources are looked for by the end of their paths")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->check(CLI::ExistingDirectory);
  add_symbol_flags(app, options.symbols);
}

std::vector<std::string> inspector_arguments(const InspectorOptions& options) {
  std::vector<std::string> arguments;
  const auto add = [&arguments](const char* name, const std::string& value) {
    if (value.empty()) return;
    arguments.emplace_back(name);
    arguments.push_back(value);
  };
  const auto add_all = [&add](const char* name, const std::vector<std::string>& values) {
    for (const std::string& value : values) add(name, value);
  };
  add("--view", options.view);
  if (options.offscreen) arguments.emplace_back("--egl");
  add("--screenshot", options.screenshot);
  add("--null", options.null_script);
  add("--script", options.script);
  add("--record", options.record);
  add("--size", options.size);
  if (options.scale > 0) add("--scale", fmt::format("{}", options.scale));
  add("--theme", options.theme);
  add("--settings", options.settings);
  if (options.no_settings) arguments.emplace_back("--no-settings");
  add_all("--source-dir", options.source_folders);
  add_all("--symbols", options.symbols.files);
  add_all("--debug-dir", options.symbols.folders);
  add_all("--substitute", options.symbols.substitutions);
  if (!options.target.empty()) {
    arguments.emplace_back("--");
    arguments.push_back(options.target);
  }
  return arguments;
}

}  // namespace mortem::tools
