// How a QEMU that somebody else started was started.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/qemu/qmp.h"

namespace mortem::tools {

struct OriginalCommand {
  std::vector<std::string> options;  // without the program's name
  std::filesystem::path folder;      // it works in; empty: that is not told
  std::filesystem::path root;        // its files as we see them: a mount namespace of its own may have others
};

// NotFound when its process is not to be seen from here: in a container, on another machine.
Result<OriginalCommand> original_command(Qmp& qmp);

}  // namespace mortem::tools
