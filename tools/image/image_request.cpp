#include "tools/image/image_request.h"

#include <fmt/format.h>

#include <charconv>

#include "tools/output.h"

namespace mortem::tools {

namespace fs = std::filesystem;

Result<std::string> guest_path(const std::string& path, const std::string& what) {
  auto bad = [&](const char* why) {
    return failure(ErrorKind::BadInput, fmt::format("{}: path in the guest '{}' {}", what, printable(path), why));
  };
  if (path.empty() || path[0] != '/') return bad("must begin with /");
  if (path.find('\0') != std::string::npos) return bad("holds a NUL");
  std::string clean;
  for (const fs::path& part : fs::path(path).relative_path()) {
    if (part == "..") return bad("must not hold ..");
    if (part.empty() || part == ".") continue;
    if (part.native().size() > 255) return bad("has a name of more than 255 bytes");
    clean += "/" + part.string();
  }
  return clean.empty() ? std::string("/") : clean;
}

Result<HostToGuest> parse_mapping(const std::string& text, const std::string& what, const fs::path& folder) {
  const size_t colon = text.rfind(":/");
  // A host file may have ":/" in its name only as "a:/b": the guest's path wins, as --help says.
  const std::string host = colon == std::string::npos ? text : text.substr(0, colon);
  if (host.empty())
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: '{}' names no file: HOST or HOST:/GUEST", what, printable(text)));
  fs::path relative = fs::path(host).lexically_normal();
  if (!relative.has_filename()) relative = relative.parent_path();  // "dir/"
  std::string guest;
  if (colon != std::string::npos)
    guest = text.substr(colon + 1);
  else if (relative.is_absolute())
    guest = relative.string();
  else if (*relative.begin() == "..")
    guest = "/" + relative.filename().string();
  else
    guest = "/" + relative.string();
  HostToGuest mapping;
  mapping.guest = TRY(guest_path(guest, what));
  mapping.host = fs::path(host).is_absolute() || folder.empty() ? fs::path(host) : folder / host;
  return mapping;
}

Result<UserAndGroup> parse_user(const std::string& text, const std::string& what) {
  UserAndGroup user;
  const char *at = text.data(), *end = at + text.size();
  auto read = [&](uint32_t& number) {
    auto [stop, error] = std::from_chars(at, end, number);
    at = stop;
    return error == std::errc() && number != ~0u;  // Linux: -1 is no id
  };
  bool good = read(user.user);
  user.group = user.user;
  if (good && at != end) good = *at++ == ':' && read(user.group) && at == end;
  if (good) return user;
  return failure(ErrorKind::BadInput, fmt::format("{}: '{}' is not UID or UID:GID, in digits", what, printable(text)));
}

Result<void> check_environment(const std::string& variable, const std::string& what) {
  const size_t equals = variable.find('=');
  if (equals == std::string::npos || equals == 0 || variable.find('\0') != std::string::npos)
    return failure(ErrorKind::BadInput, fmt::format("{}: '{}' is not KEY=VALUE", what, printable(variable)));
  return {};
}

void set_program(ImageRequest& request, const fs::path& program) {
  request.program = program;
  request.guest_program = "/bin/" + program.filename().string();
  // Runtimes look for their files beside the program. Its own name stays even if it is a link: some go by argv[0].
  std::error_code ignored;
  const fs::path folder = fs::canonical(fs::absolute(program, ignored).parent_path(), ignored);
  if (!ignored && (folder.native().starts_with("/usr/") || folder.native().starts_with("/opt/")))
    request.guest_program = (folder / program.filename()).string();
}

}  // namespace mortem::tools
