#include "inspector/symbols/path_rules.h"

#include <filesystem>
#include <optional>

namespace mortem::inspector {
namespace fs = std::filesystem;

namespace {

// Nothing: `path` does not begin with `from`.
std::optional<std::string> replace_start(const std::string& path, const std::string& from, const std::string& to) {
  if (from.empty() || !path.starts_with(from)) return std::nullopt;
  const std::string rest = path.substr(from.size());
  if (!rest.empty() && rest.front() != '/' && from.back() != '/') return std::nullopt;
  return to + rest;
}

}  // namespace

std::string PathRules::apply(const std::string& path) const {
  for (const auto& [from, to] : rules_)
    if (const auto replaced = replace_start(path, from, to)) return *replaced;
  return path;
}

std::string PathRules::undo(const std::string& path) const {
  for (const auto& [from, to] : rules_)
    if (const auto replaced = replace_start(path, to, from)) return *replaced;
  return path;
}

PartPlaces PathRules::part_places(const std::string& name, const std::string& folder, const SymbolFiles& files) const {
  PartPlaces places;
  places.recorded = (fs::path(folder) / name).lexically_normal().string();
  std::vector<fs::path> others = {apply(places.recorded)};
  for (const fs::path& file : {files.debug, files.executable}) {
    if (file.empty()) continue;
    others.push_back(file.parent_path() / fs::path(name).filename());
    if (fs::path(name).is_relative()) others.push_back(file.parent_path() / name);
  }
  std::error_code ignored;
  for (const fs::path& one : others)
    if (fs::is_regular_file(one, ignored)) {
      places.existing = one.string();
      break;
    }
  return places;
}

}  // namespace mortem::inspector
