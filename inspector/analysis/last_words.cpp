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

// The panic that starts at that line; empty: none does.
std::string panic_at(const std::vector<std::string_view>& lines, size_t at) {
  const std::string_view line = lines[at];
  if (line.starts_with("panic: ") || line.starts_with("fatal error: ")) return std::string(line);
  if (!is_rust_panic(line)) return {};
  const bool message_follows = line.ends_with(':') && at + 1 < lines.size();
  return std::string(line) + (message_follows ? " " + std::string(lines[at + 1]) : "");
}

}  // namespace

std::string panic_message(std::string_view standard_error) {
  const auto lines = lines_of(standard_error);
  for (size_t at = lines.size(); at-- > 0;)
    if (std::string message = panic_at(lines, at); !message.empty()) return message;
  return {};
}

std::optional<std::string> printed_what(std::string_view standard_error, std::string_view type) {
  const auto lines = lines_of(standard_error);
  for (size_t at = lines.size(); at-- > 0;) {
    const std::string_view line = lines[at];
    // libc++abi: "terminating due to uncaught exception of type T: what", "terminating with …" before LLVM 15.
    const std::string llvm = "uncaught exception of type " + std::string(type) + ": ";
    if (const size_t found = line.find(llvm); found != line.npos) return std::string(line.substr(found + llvm.size()));
    // libsupc++: "terminate called after throwing an instance of 'T'", then "  what():  text".
    constexpr std::string_view kWhat = "  what():  ";
    if (line.ends_with("an instance of '" + std::string(type) + "'") && at + 1 < lines.size() &&
        lines[at + 1].starts_with(kWhat))
      return std::string(lines[at + 1].substr(kWhat.size()));
  }
  return std::nullopt;
}

std::string last_words(std::string_view standard_error) {
  const auto lines = lines_of(standard_error);
  // The runtime prints these once, before the stacks; the last one counts when a program went on after one.
  for (size_t at = lines.size(); at-- > 0;) {
    const std::string_view line = lines[at];
    if (std::string message = panic_at(lines, at); !message.empty()) return message;
    // Python: the frames are indented, the exception is not.
    if (line == "Traceback (most recent call last):")
      for (size_t below = at + 1; below < lines.size(); ++below)
        if (!indented(lines[below])) return std::string(lines[below]);
  }
  return lines.empty() ? std::string() : std::string(lines.back());
}

}  // namespace mortem::inspector
