#include "inspector/symbols/source_text.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace mortem::inspector {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kLargestSource = 64 << 20;
constexpr size_t kLongestLine = 1000;

bool is_source(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && fs::file_size(path, error) <= kLargestSource && !error;
}

bool is_newer(const fs::path& source, const fs::path& program) {
  std::error_code error;
  const auto written = fs::last_write_time(source, error);
  if (error || program.empty()) return false;
  const auto built = fs::last_write_time(program, error);
  return !error && written > built;
}

}  // namespace

std::optional<SourceLines> SourceText::lines(Symbolizer& symbolizer, const snapshot::CoreModule* module,
                                             const std::string& file, uint32_t line, uint32_t around) {
  if (file.empty() || line == 0) return std::nullopt;
  const auto embedded = module ? symbolizer.embedded_source(*module, file) : std::nullopt;
  if (embedded)
    if (auto [place, is_new] = embedded_.try_emplace(embedded->data()); is_new) {
      std::istringstream stream{std::string(*embedded)};
      place->second.from = file;
      read(stream, place->second);
    }
  const Text& text = embedded
                         ? embedded_[embedded->data()]
                         : text_of(module ? std::span<const uint8_t>(module->id) : std::span<const uint8_t>(), file);
  if (line > text.lines.size()) return std::nullopt;
  SourceLines result;
  result.from = text.from;
  result.newer = module && !embedded && is_newer(text.from, symbolizer.files(*module).executable);
  result.first = line > around ? line - around : 1;
  const size_t last = std::min<size_t>(text.lines.size(), size_t{line} + around);
  result.lines.assign(text.lines.begin() + result.first - 1, text.lines.begin() + static_cast<ptrdiff_t>(last));
  return result;
}

void SourceText::read(std::istream& stream, Text& to) {
  for (std::string line; std::getline(stream, line);) {
    if (line.find('\0') != std::string::npos) {  // no text
      to.lines.clear();
      break;
    }
    if (line.ends_with('\r')) line.pop_back();
    if (line.size() > kLongestLine) line.resize(kLongestLine);
    to.lines.push_back(std::move(line));
  }
}

const SourceText::Text& SourceText::text_of(std::span<const uint8_t> build_id, const std::string& file) {
  auto [place, is_new] = texts_.try_emplace(file);
  if (!is_new) return place->second;
  place->second.from = find(build_id, file);
  std::ifstream stream(place->second.from);
  read(stream, place->second);
  return place->second;
}

fs::path SourceText::find(std::span<const uint8_t> build_id, const std::string& file) {
  if (fs::path(file).is_absolute() && is_source(file)) return file;
  for (const fs::path& checkout : checkouts_) {
    // Of /build/project/src/a.c first build/project/src/a.c, then project/src/a.c, ...
    fs::path rest = fs::path(file).relative_path();
    while (!rest.empty()) {
      if (is_source(checkout / rest)) return checkout / rest;
      fs::path shorter;
      for (auto part = std::next(rest.begin()); part != rest.end(); ++part) shorter /= *part;
      rest = shorter;
    }
  }
  return debuginfod_.source(build_id, rules_.undo(file)).value_or(fs::path());
}

}  // namespace mortem::inspector
