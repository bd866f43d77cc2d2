// What a request puts where in the guest, before anything is copied.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "tools/image/image_request.h"

namespace mortem::tools {

// /lib and /lib64 of an image are links to /usr/lib and /usr/lib64, as on the distributions of today.
struct LayoutLink {
  const char* guest;
  const char* target;
};
inline constexpr LayoutLink kLayoutLinks[] = {{"/lib", "usr/lib"}, {"/lib64", "usr/lib64"}, {"/var/run", "/run"}};

// The path without `..` and with the links above followed.
std::string plain_guest_path(const std::string& path);

// The file system that hides what the image holds at this path: "/tmp", "/proc", …; null: none does.
const char* hiding_mount(const std::string& path);

class GuestFiles {
 public:
  explicit GuestFiles(const ImageRequest& request) : request_(request) {}
  // The host's file that the request puts at this path of the guest; nothing: none. Later mappings win.
  std::optional<std::filesystem::path> host_file(const std::string& guest) const;

 private:
  const ImageRequest& request_;
};

}  // namespace mortem::tools
