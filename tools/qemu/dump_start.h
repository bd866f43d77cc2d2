// Booting a dump: an instance of its own that goes on from the dump's moment.
#pragma once

#include <filesystem>
#include <string>

#include "snapshot/result.h"
#include "tools/qemu/clone_start.h"

namespace mortem::tools {

struct StartedDump {
  StartedClone instance;
  double read_seconds = 0;  // of it, for the dump's memory
  uint64_t lost_pages = 0;  // of files, which neither the dump nor a disk has
};

// `source`: as open_target_core() takes it. `image`: its disk, of which a copy is made as it is written to; empty: the
// one that the source is in, else none. `record`: the folder of a recording, which needs `options` that let the program
// go; empty: it is not recorded.
Result<StartedDump> start_dump(const std::string& source, const std::filesystem::path& image,
                               const CloneStartOptions& options, const std::filesystem::path& record = {});

}  // namespace mortem::tools
