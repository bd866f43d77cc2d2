#include "tools/verbs/symbolize_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace mortem::tools {

const std::string& SourceContext::file(const std::string& path) {
  auto [place, is_new] = files_.try_emplace(path);
  if (is_new) {
    const std::string here = rules_.apply(path);
    std::error_code ignored;
    if (std::filesystem::is_regular_file(here, ignored)) {
      std::ifstream file(here, std::ios::binary);
      place->second.assign(std::istreambuf_iterator<char>(file), {});
    }
  }
  return place->second;
}

std::string SourceContext::around(const std::string& path, uint32_t line, std::optional<std::string_view> embedded) {
  const int64_t first = std::max<int64_t>(1, int64_t{line} - count_ / 2), last = first + count_ - 1;
  // Digits of the last number, but for a power of ten one less: llvm-symbolizer takes the logarithm.
  const size_t width = std::to_string(last - 1).size() * (last > 1);
  std::string result;
  std::string_view rest = embedded ? *embedded : std::string_view(file(path));
  for (int64_t number = 1; number <= last && !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (number < first) continue;
    if (text.ends_with('\r')) text.remove_suffix(1);
    result += fmt::format("{:>{}}{}{}\n", number, width, number == line ? " >: " : "  : ", text);
  }
  return result;
}

}  // namespace mortem::tools
