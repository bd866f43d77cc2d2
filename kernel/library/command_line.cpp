#include "kernel/library/command_line.h"

#include <string_view>

#include "kernel/library/log.h"

namespace kernel {
namespace {

constexpr size_t kMaximumText = 16 << 10;
constexpr size_t kMaximumSettings = 512;

enum class Source : uint8_t { CommandLine, Manifest };

struct Setting {
  const char* key;    // NUL-terminated, as the value
  const char* value;  // decoded
  Source source;
};

// Static, because the command line is read before there is a heap.
char g_text[2 * kMaximumText];  // decoded keys and values, each with its NUL
size_t g_text_used = 0;
Setting g_settings[kMaximumSettings];
size_t g_count = 0;
size_t g_command_line_count = 0;  // they stand first

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Null: good; else what is wrong with `KEY=VALUE`, which is then left out.
const char* add(std::string_view text, Source source, size_t text_limit) {
  const size_t equals = text.find('=');
  if (equals == text.npos) return "no '='";
  if (equals == 0) return "no key before '='";
  if (g_count == kMaximumSettings) return "too many settings";
  if (g_text_used + text.size() + 2 > text_limit) return "too much text";
  size_t used = g_text_used;
  const char* key = g_text + used;
  for (char c : text.substr(0, equals)) g_text[used++] = c;
  g_text[used++] = '\0';
  const char* value = g_text + used;
  std::string_view encoded = text;
  encoded.remove_prefix(equals + 1);
  for (size_t at = 0; at < encoded.size(); ++at) {
    char c = encoded[at];
    if (c == '%') {
      const bool has_two = at + 2 < encoded.size();
      const int high = has_two ? digit_of(encoded[at + 1]) : -1;
      const int low = has_two ? digit_of(encoded[at + 2]) : -1;
      if (high < 0 || low < 0) return "'%' without two hexadecimal digits";
      c = static_cast<char>(high * 16 + low);
      if (c == '\0') return "%00 cannot be part of a value";
      at += 2;
    }
    g_text[used++] = c;
  }
  g_text[used++] = '\0';
  g_text_used = used;
  g_settings[g_count++] = {key, value, source};
  return nullptr;
}

bool command_line_has(std::string_view key) {
  for (size_t index = 0; index < g_command_line_count; ++index)
    if (key == g_settings[index].key) return true;
  return false;
}

// K of an env value K=V.
std::string_view variable_of(const char* value) {
  const char* end = value;
  while (*end != '\0' && *end != '=') ++end;
  return {value, static_cast<size_t>(end - value)};
}

bool is_in_force(const Setting& setting) {
  const std::string_view key = setting.key;
  if (key == "arg")
    return setting.source == Source::CommandLine || !(command_line_has("arg") || command_line_has("args"));
  if (key == "net") return setting.source == Source::CommandLine || !command_line_has("net");
  if (key != "env") return true;
  // The last value of a variable holds; those of the command line count as later.
  const size_t own = static_cast<size_t>(&setting - g_settings);
  for (size_t index = 0; index < g_count; ++index) {
    const Setting& other = g_settings[index];
    if (std::string_view(other.key) != "env" || variable_of(other.value) != variable_of(setting.value)) continue;
    if (other.source == setting.source ? index > own : other.source == Source::CommandLine) return false;
  }
  return true;
}

}  // namespace

void command_line_initialize(const char* text) {
  g_text_used = g_count = g_command_line_count = 0;
  if (text == nullptr) return;
  std::string_view rest = text;
  if (rest.size() > kMaximumText) {
    log(LogLevel::Warning, "kernel command line: only its first %zu bytes are used", kMaximumText);
    rest = rest.substr(0, kMaximumText);
  }
  while (true) {
    const size_t start = rest.find_first_not_of(" \t\n");
    if (start == rest.npos) break;
    rest.remove_prefix(start);
    size_t length = rest.find_first_of(" \t\n");
    if (length == rest.npos) length = rest.size();
    const std::string_view word = rest.substr(0, length);
    rest.remove_prefix(length);
    if (const char* wrong = add(word, Source::CommandLine, kMaximumText + kMaximumSettings))
      log(LogLevel::Warning, "kernel command line: '%.*s' ignored: %s", static_cast<int>(word.size()), word.data(),
          wrong);
  }
  g_command_line_count = g_count;
}

Result<void> manifest_initialize(std::span<const char> text) {
  std::string_view rest{text.data(), text.size()};
  for (size_t number = 1; !rest.empty(); ++number) {
    size_t length = rest.find('\n');
    if (length == rest.npos) length = rest.size();
    const std::string_view line = rest.substr(0, length);
    rest.remove_prefix(length < rest.size() ? length + 1 : length);
    if (line.empty()) continue;
    const char* wrong = line.find('\0') != line.npos ? "NUL in it" : add(line, Source::Manifest, sizeof g_text);
    if (wrong == nullptr) continue;
    const size_t shown = line.size() < 80 ? line.size() : 80;
    log(LogLevel::Warning, "manifest: line %zu '%.*s': %s", number, static_cast<int>(shown), line.data(), wrong);
    g_count = g_command_line_count;  // a manifest holds whole or not at all
    return Error::Invalid;
  }
  return {};
}

const char* setting(const char* key) {
  const std::string_view wanted = key;
  const char* of_manifest = nullptr;
  const char* of_command_line = nullptr;
  for (size_t index = 0; index < g_count; ++index) {
    if (wanted != g_settings[index].key) continue;
    (g_settings[index].source == Source::Manifest ? of_manifest : of_command_line) = g_settings[index].value;
  }
  return of_command_line != nullptr ? of_command_line : of_manifest;
}

bool setting_is(const char* key, const char* value) {
  const char* given = setting(key);
  return given != nullptr && std::string_view(given) == value;
}

const char* repeated_setting(const char* key, size_t index) {
  const std::string_view wanted = key;
  // The manifest's come first.
  for (const Source source : {Source::Manifest, Source::CommandLine})
    for (size_t at = 0; at < g_count; ++at)
      if (g_settings[at].source == source && wanted == g_settings[at].key && is_in_force(g_settings[at]) &&
          index-- == 0)
        return g_settings[at].value;
  return nullptr;
}

}  // namespace kernel
