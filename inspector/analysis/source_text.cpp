#include "inspector/analysis/source_text.h"

#include <filesystem>
#include <fstream>

namespace mortem::inspector {

SourceText source_text(const std::string& file, uint32_t line, uint32_t around, const std::string& program) {
  constexpr uintmax_t kLargest = 64 << 20;
  constexpr size_t kLongestLine = 1000;
  SourceText text;
  std::error_code failed;
  // A path in a dump is anyone's: no devices, no pipes.
  if (line == 0 || !std::filesystem::is_regular_file(file, failed) ||
      std::filesystem::file_size(file, failed) > kLargest)
    return text;
  std::ifstream stream(file);
  const uint32_t first = line > around ? line - around : 1;
  std::string one;
  for (uint32_t number = 1; number <= line + around && std::getline(stream, one); ++number) {
    if (number < first) continue;
    if (one.find('\0') != std::string::npos) return {};
    text.lines.push_back(one.substr(0, kLongestLine));
  }
  if (text.lines.size() < line - first + 1) return {};
  text.first = first;
  const auto written = std::filesystem::last_write_time(file, failed);
  if (!failed && !program.empty()) {
    const auto built = std::filesystem::last_write_time(program, failed);
    text.newer = !failed && written > built;
  }
  return text;
}

}  // namespace mortem::inspector
