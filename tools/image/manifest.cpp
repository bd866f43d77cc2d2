#include "tools/image/manifest.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <sstream>
#include <string_view>

namespace mortem::tools {

std::string percent_encode(const std::string& value) {
  static constexpr std::string_view kPlain = "-._~/=:,+@";
  std::string text;
  for (unsigned char byte : value) {
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                       kPlain.find(char(byte)) != std::string_view::npos;
    text += plain ? std::string(1, char(byte)) : fmt::format("%{:02X}", byte);
  }
  return text;
}

Result<std::string> percent_decode(const std::string& text) {
  std::string value;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      value += text[at];
      continue;
    }
    unsigned byte = 0;
    const char* digits = text.data() + at + 1;
    if (at + 2 >= text.size() || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
      return failure(ErrorKind::BadInput, fmt::format("'{}' has a % without two hexadecimal digits", text));
    value += char(byte);
    at += 2;
  }
  return value;
}

std::string manifest_text(const ImageRequest& request) {
  std::string text;
  auto line = [&](const char* key, const std::string& value) {
    text += fmt::format("{}={}\n", key, percent_encode(value));
  };
  line("program", request.guest_program);
  for (const std::string& argument : request.arguments) line("arg", argument);
  for (const std::string& variable : request.environment) line("env", variable);
  line("cwd", "/");
  if (!request.user.is_root()) line("user", fmt::format("{}:{}", request.user.user, request.user.group));
  line("dump-on-exit", request.dump_on_exit == DumpOnExit::Never ? "never" : "nonzero");
  if (request.new_code != NewCode::Allow) line("new-code", request.new_code == NewCode::Refuse ? "refuse" : "crash");
  if (request.dump_at_first_chance) line("on-fault", "first-chance");
  if (request.crash_on_exec) line("on-exec", "crash");
  for (const std::string& setting : request.network) line("net", setting);
  line("memory", std::to_string(request.memory));
  for (const std::string& port : request.ports) line("port", port);
  return text;
}

Result<Manifest> parse_manifest(const std::string& text) {
  Manifest manifest;
  std::stringstream lines(text);
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    const size_t equals = line.find('=');
    if (equals == std::string::npos || equals == 0)
      return failure(ErrorKind::BadInput, fmt::format("{} line {}: not KEY=VALUE", kManifestPath, number));
    manifest[line.substr(0, equals)].push_back(TRY(percent_decode(line.substr(equals + 1))));
  }
  return manifest;
}

}  // namespace mortem::tools
