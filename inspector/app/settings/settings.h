// What is kept from one start to the next: $XDG_CONFIG_HOME/mortem/inspector.conf, a text file of lines "key value".
// Watches and the layout are in it, too.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "inspector/app/theme/theme.h"
#include "snapshot/result.h"

namespace mortem::inspector::app {

struct Settings {
  std::vector<std::string> recent;             // targets, the newest first
  std::vector<std::string> watches;            // expressions
  std::map<std::string, std::string> layouts;  // by preset: as TileTree::text() writes it
  std::map<std::string, std::string> presets;  // that were chosen for kinds of targets: "live", "recording", "still"
  Brightness brightness = Brightness::Dark;
  float zoom = 1;
  int width = 1440, height = 900;
  std::vector<std::string> unknown_lines;  // of a newer version: kept

  void remember(const std::string& target);
  std::string preset_for(const std::string& kind) const;
};

std::filesystem::path settings_path();  // empty: nowhere
// A line that is broken is left out. No file: what a new program has.
Settings read_settings(const std::filesystem::path& path);
Result<void> write_settings(const Settings& settings, const std::filesystem::path& path);

}  // namespace mortem::inspector::app
