#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "inspector/app/script/script.h"

namespace mortem::inspector::app {
namespace {

// Words of one line; nothing: a quote is left open.
std::optional<std::vector<std::string>> words_of(std::string_view line) {
  std::vector<std::string> words;
  size_t at = 0;
  while (at < line.size()) {
    if (line[at] == ' ' || line[at] == '\t') {
      ++at;
      continue;
    }
    std::string word;
    if (line[at] == '"') {
      for (++at; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\' && at + 1 < line.size()) ++at;
        word += line[at] == 'n' && line[at - 1] == '\\' ? '\n' : line[at];
      }
      if (at++ >= line.size()) return std::nullopt;
    } else {
      while (at < line.size() && line[at] != ' ' && line[at] != '\t') word += line[at++];
    }
    words.push_back(std::move(word));
  }
  return words;
}

}  // namespace

Result<std::vector<ScriptStep>> parse_script(std::string_view text) {
  std::vector<ScriptStep> steps;
  unsigned number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    const size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos || line[first] == '#') continue;
    auto words = words_of(line);
    if (!words) return failure(ErrorKind::BadInput, fmt::format("line {}: a quote is left open", number));
    steps.push_back({number, std::move(*words)});
  }
  return steps;
}

Result<std::vector<ScriptStep>> read_script(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return failure(ErrorKind::NotFound, fmt::format("{}: there is no such script", path.string()));
  std::ostringstream text;
  text << file.rdbuf();
  auto steps = parse_script(text.str());
  if (!steps) return failure(steps.error().kind, fmt::format("{}, {}", path.string(), steps.error().message));
  return steps;
}

}  // namespace mortem::inspector::app
