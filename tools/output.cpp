#include "tools/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace mortem::tools {

namespace {

bool write_whole_text(int descriptor, std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// Length of the well-formed UTF-8 sequence at the start of `bytes` (Unicode 15, table 3-7), 0: not well-formed.
size_t utf8_length(std::string_view bytes) {
  auto at = [&](size_t index) { return index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : 0u; };
  auto continues = [&](size_t index) { return (at(index) & 0xC0) == 0x80; };
  const unsigned first = at(0), second = at(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

void write_stdout(std::string_view text) {
  if (write_whole_text(STDOUT_FILENO, text)) return;
  fail(fmt::format("cannot write to stdout: {}", std::strerror(errno)));
  _exit(kFailed);
}

void write_stderr(std::string_view text) {
  write_whole_text(STDERR_FILENO, text);
}

void note(std::string_view message) {
  write_stderr(fmt::format("mortem: {}\n", message));
}

int fail(std::string_view message) {
  note(message);
  return kFailed;
}

int fail(const Error& error) {
  return fail(error.message);
}

void print_json(std::string_view verb, nlohmann::ordered_json facts, int version) {
  nlohmann::ordered_json document;
  document["schema"] = fmt::format("mortem.{}/{}", verb, version);
  document.update(facts);
  // Invalid UTF-8 in a fact must not end the program: it is replaced.
  write_stdout(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::string human_size(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string printable(std::string_view bytes) {
  if (std::all_of(bytes.begin(), bytes.end(), [](char one) { return one >= 0x20 && one < 0x7F; }))
    return std::string(bytes);
  std::string text;
  while (!bytes.empty()) {
    const size_t length = utf8_length(bytes);
    const auto first = static_cast<unsigned char>(bytes[0]);
    const bool control =
        first < 0x20 || first == 0x7F || (first == 0xC2 && length == 2 && static_cast<unsigned char>(bytes[1]) < 0xA0);
    if (length == 0 || control) {
      text += fmt::format("\\x{:02x}", first);
      bytes.remove_prefix(1);
    } else {
      text += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return text;
}

std::string printable_source(std::string_view line) {
  std::string text;
  for (const char one : line) text += one == '\t' ? std::string("    ") : std::string(1, one);
  return printable(text);
}

bool stdout_has_colours() {
  static const bool colours = [] {
    const char* no_colour = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    return isatty(STDOUT_FILENO) && (!no_colour || !*no_colour) && terminal && std::strcmp(terminal, "dumb") != 0;
  }();
  return colours;
}

std::string_view paint_start(Paint paint) {
  // Select Graphic Rendition (ECMA-48, 8.3.117); the sixteen colours follow the terminal's own theme.
  static constexpr std::string_view kCodes[] = {"\033[1m", "\033[1;31m", "\033[33m", "\033[36m", "\033[2m"};
  return stdout_has_colours() ? kCodes[static_cast<size_t>(paint)] : std::string_view();
}

std::string_view paint_end() {
  return stdout_has_colours() ? "\033[0m" : std::string_view();
}

std::string painted(std::string_view text, Paint paint) {
  if (text.empty()) return {};
  return fmt::format("{}{}{}", paint_start(paint), text, paint_end());
}

std::string shell_quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                          "-._/=:,+@%") == std::string::npos;
  if (plain) return word;
  std::string quoted = "'";
  for (char character : word) quoted += character == '\'' ? std::string("'\\''") : std::string(1, character);
  return quoted + "'";
}

}  // namespace mortem::tools
