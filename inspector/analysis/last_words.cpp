#include "inspector/analysis/last_words.h"

#include <vector>

namespace mortem::inspector {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

bool indented(std::string_view line) {
  return line[0] == ' ' || line[0] == '\t';
}

// `thread 'main' panicked at src/main.rs:2:5:` with the message on the next line; before Rust 1.73 the message came
// first: `thread 'main' panicked at 'message', src/main.rs:2:5`. Newer ones have the thread's id behind its name.
bool is_rust_panic(std::string_view line) {
  return line.starts_with("thread '") && line.find(" panicked at ") != std::string_view::npos;
}

}  // namespace

std::string last_words(std::string_view standard_error) {
  const auto lines = lines_of(standard_error);
  // The runtime prints these once, before the stacks; the last one counts when a program went on after one.
  for (size_t at = lines.size(); at-- > 0;) {
    const std::string_view line = lines[at];
    if (line.starts_with("panic: ") || line.starts_with("fatal error: ")) return std::string(line);
    if (is_rust_panic(line)) {
      const bool message_follows = line.ends_with(':') && at + 1 < lines.size();
      return std::string(line) + (message_follows ? " " + std::string(lines[at + 1]) : "");
    }
    // Python: the frames are indented, the exception is not.
    if (line == "Traceback (most recent call last):")
      for (size_t below = at + 1; below < lines.size(); ++below)
        if (!indented(lines[below])) return std::string(lines[below]);
  }
  return lines.empty() ? std::string() : std::string(lines.back());
}

}  // namespace mortem::inspector
