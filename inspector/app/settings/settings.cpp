#include "inspector/app/settings/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>

namespace mortem::inspector::app {
namespace {

constexpr size_t kRecentTargets = 12;

template <typename T>
void read_number(std::string_view text, T least, T most, T& to) {
  T number{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec == std::errc() && number >= least && number <= most) to = number;
}

// A value is one line: what would end it is written as \n.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char letter : text)
    if (letter == '\n')
      line += "\\n";
    else if (letter == '\\')
      line += "\\\\";
    else
      line += letter;
  return line;
}

std::string as_it_was(std::string_view line) {
  std::string text;
  for (size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '\\' && at + 1 < line.size()) {
      ++at;
      text += line[at] == 'n' ? '\n' : line[at];
    } else {
      text += line[at];
    }
  }
  return text;
}

void read_line(const std::string& line, Settings& to) {
  const size_t blank = line.find(' ');
  if (line.empty() || line[0] == '#' || blank == std::string::npos) return;
  const std::string key = line.substr(0, blank), value = as_it_was(std::string_view(line).substr(blank + 1));
  if (key == "recent") {
    if (to.recent.size() < kRecentTargets) to.recent.push_back(value);
  } else if (key == "watch") {
    to.watches.push_back(value);
  } else if (key == "preset") {
    // Of an older version, which wrote what was shown last and did not use it.
  } else if (key == "preset.live" || key == "preset.still" || key == "preset.recording") {
    if (value == "crash" || value == "live" || value == "replay") to.presets[key.substr(7)] = value;
  } else if (key == "theme") {
    to.brightness = value == "light" ? Brightness::Light : Brightness::Dark;
  } else if (key == "zoom") {
    read_number(value, 0.5f, 4.0f, to.zoom);
  } else if (key == "width") {
    read_number(value, 320, 16384, to.width);
  } else if (key == "height") {
    read_number(value, 240, 16384, to.height);
  } else if (key.starts_with("layout.")) {
    to.layouts[key.substr(7)] = value;
  } else {
    to.unknown_lines.push_back(line);
  }
}

}  // namespace

void Settings::remember(const std::string& target) {
  recent.erase(std::remove(recent.begin(), recent.end(), target), recent.end());
  recent.insert(recent.begin(), target);
  if (recent.size() > kRecentTargets) recent.resize(kRecentTargets);
}

std::string Settings::preset_for(const std::string& kind) const {
  if (const auto chosen = presets.find(kind); chosen != presets.end()) return chosen->second;
  return kind == "live" ? "live" : kind == "recording" ? "replay" : "crash";
}

std::filesystem::path settings_path() {
  if (const char* base = std::getenv("XDG_CONFIG_HOME"); base && base[0] == '/')
    return std::filesystem::path(base) / "mortem" / "inspector.conf";
  if (const char* home = std::getenv("HOME"); home && home[0] == '/')
    return std::filesystem::path(home) / ".config" / "mortem" / "inspector.conf";
  return {};
}

Settings read_settings(const std::filesystem::path& path) {
  Settings settings;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) read_line(line, settings);
  return settings;
}

Result<void> write_settings(const Settings& settings, const std::filesystem::path& path) {
  if (path.empty()) return {};
  std::string text = "# Written by mortem open when it ends. Lines that it does not know are kept.\n";
  const auto add = [&text](std::string_view key, std::string_view value) {
    text += fmt::format("{} {}\n", key, one_line(value));
  };
  for (const std::string& target : settings.recent) add("recent", target);
  for (const std::string& watch : settings.watches) add("watch", watch);
  for (const auto& [kind, preset] : settings.presets) add("preset." + kind, preset);
  add("theme", settings.brightness == Brightness::Light ? "light" : "dark");
  add("zoom", fmt::format("{:.2f}", settings.zoom));
  add("width", std::to_string(settings.width));
  add("height", std::to_string(settings.height));
  for (const auto& [preset, layout] : settings.layouts) add("layout." + preset, layout);
  for (const std::string& line : settings.unknown_lines) text += line + '\n';

  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  // First beside it, then in its place: two inspectors may end at once.
  const std::filesystem::path beside = path.string() + fmt::format(".{}", getpid());
  std::ofstream file(beside);
  file << text;
  file.close();
  if (file) std::filesystem::rename(beside, path, error);
  if (!file || error) {
    std::filesystem::remove(beside, error);
    return failure(ErrorKind::System, fmt::format("{}: the settings could not be written", path.string()));
  }
  return {};
}

}  // namespace mortem::inspector::app
