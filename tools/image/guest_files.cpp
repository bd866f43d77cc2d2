#include "tools/image/guest_files.h"

#include <algorithm>
#include <ranges>

namespace mortem::tools {

namespace fs = std::filesystem;

std::string plain_guest_path(const std::string& path) {
  std::string plain = fs::path("/" + path).lexically_normal().string();
  plain.erase(0, plain.find_first_not_of('/') == std::string::npos ? 0 : plain.find_first_not_of('/') - 1);
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  for (const LayoutLink& link : kLayoutLinks) {
    const std::string from = link.guest;
    if (plain != from && !plain.starts_with(from + "/")) continue;
    const std::string target = link.target;
    return (target[0] == '/' ? target : "/" + target) + plain.substr(from.size());
  }
  return plain;
}

const char* hiding_mount(const std::string& path) {
  const std::string plain = plain_guest_path(path);
  for (const char* mount : {"/dev", "/proc", "/sys", "/tmp"})
    if (plain == mount || plain.starts_with(std::string(mount) + "/")) return mount;
  return nullptr;
}

std::optional<fs::path> GuestFiles::host_file(const std::string& guest) const {
  const std::string wanted = plain_guest_path(guest);
  std::error_code ignored;
  if (wanted == plain_guest_path(request_.guest_program)) return request_.program;
  for (const HostToGuest& file : std::views::reverse(request_.files))
    if (plain_guest_path(file.guest) == wanted) return file.host;
  for (const HostToGuest& folder : std::views::reverse(request_.folders)) {
    std::string below = plain_guest_path(folder.guest);
    if (below == "/") below.clear();
    if (!wanted.starts_with(below + "/")) continue;
    // A root folder may have /usr/lib or, before the merge, /lib.
    for (const std::string& name : {wanted, guest})
      if (name.size() > below.size() && name.starts_with(below + "/"))
        if (fs::path host = folder.host / name.substr(below.size() + 1); fs::is_regular_file(host, ignored))
          return host;
  }
  return std::nullopt;
}

}  // namespace mortem::tools
