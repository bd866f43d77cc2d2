// What goes into an image: filled from a CONFIG.json, from options, or from both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/sizes.h"

namespace mortem::tools {

struct HostToGuest {
  std::filesystem::path host;
  std::string guest;  // absolute, without . and ..
};

enum class DumpOnExit { NonZero, Never };
// Memory that becomes executable after the program's start.
enum class NewCode { Allow, Refuse, Crash };

struct UserAndGroup {
  uint32_t user = 0, group = 0;
  bool is_root() const { return user == 0 && group == 0; }
};

struct ImageRequest {
  std::filesystem::path program;         // on the host
  std::string guest_program;             // its path in the guest
  std::vector<std::string> arguments;    // after argv[0]
  std::vector<std::string> environment;  // KEY=VALUE
  std::vector<HostToGuest> files;
  std::vector<HostToGuest> folders;  // what is below them
  uint64_t memory = kDefaultMemory;  // bytes; dump slots are made for it
  uint64_t root_size = 0;            // bytes of the root partition at least
  uint32_t slots = 2;
  std::vector<std::string> ports;     // HOST:GUEST that `mortem run` forwards when it is not told others
  std::vector<std::string> network;   // the guest's settings net=, none: DHCP (static_network.h)
  bool dump_at_first_chance = false;  // faults that the program handles itself leave a dump, too
  bool crash_on_exec = false;         // execve and fork end the program with a dump; else they are only refused
  DumpOnExit dump_on_exit = DumpOnExit::NonZero;
  NewCode new_code = NewCode::Allow;
  UserAndGroup user;               // who the program is; what `files` and `folders` bring is theirs
  std::vector<std::string> notes;  // one line each: keys that were read and have no effect yet
};

// A path in the guest: absolute, `.` and `//` taken out; `..` is an error. `what` names the option or key.
Result<std::string> guest_path(const std::string& path, const std::string& what);
// `HOST` or `HOST:/GUEST`. Without GUEST an absolute HOST keeps its path, a relative one stands below /.
// `folder`: what a relative HOST is relative to.
Result<HostToGuest> parse_mapping(const std::string& text, const std::string& what,
                                  const std::filesystem::path& folder = {});
// `UID[:GID]`, numbers; the group is that of the user's number when it is not given.
Result<UserAndGroup> parse_user(const std::string& text, const std::string& what);
Result<void> check_environment(const std::string& variable, const std::string& what);

// Sets program and guest_program: a program below /usr or /opt keeps its path, any other stands at /bin/NAME.
void set_program(ImageRequest& request, const std::filesystem::path& program);

}  // namespace mortem::tools
