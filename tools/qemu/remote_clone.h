// A clone of a guest on another machine: `mortem clone` runs there, through ssh, into a temporary folder, and the
// folder comes over as a sparse tar stream on the same connection. So nothing has to be open or installed but sshd,
// mortem and tar; the guest's pause does not depend on the network between; and a connection that breaks leaves nothing
// here or there. (A migration straight over the network would hold the guest's dirty pages up to the network's pace,
// and what sshfs or rsync give beyond, going on with half a copy, is worth little for a copy of one moment that is at
// most some gigabytes.)
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "snapshot/clone/clone_description.h"
#include "snapshot/result.h"

namespace mortem::tools {

struct RemoteClone {
  std::string host;                            // as ssh takes it: [USER@]NAME
  std::string port;                            // empty: ssh's own
  std::string source;                          // what to clone there
  std::string ssh = "ssh", mortem = "mortem";  // commands, here and there
  std::string method = "auto";
  double patience_seconds = 30;
};

// ssh://[USER@]HOST[:PORT]/SOURCE; nothing: it does not begin so.
std::optional<Result<RemoteClone>> parse_remote_clone(const std::string& text);

// The folder must not exist; it appears when all is in it and found whole.
Result<snapshot::CloneDescription> clone_from_afar(const RemoteClone& remote, const std::filesystem::path& folder);

}  // namespace mortem::tools
