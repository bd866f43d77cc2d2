// Starting a clone's folder: an instance of its own, cut off, that goes on from the clone's moment.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/format/control.h"
#include "snapshot/result.h"
#include "tools/files.h"

namespace mortem::tools {

enum class CloneClock { GoesOn, Now };

struct CloneStartOptions {
  std::string name;  // empty: from the clone
  std::string network = "none";
  std::vector<std::string> ports;
  std::optional<CloneClock> clock;  // nothing: of a clone it goes on, of a dump it is the time of now
  bool holds_app = true;
  std::filesystem::path disk;  // a file on top of the clone's disk that keeps what is written; empty: that is gone
  std::string source;          // what people know it by that it is started from; empty: as it is given
};

struct StartedClone {
  std::string name;
  std::filesystem::path instance;
  double seconds = 0;
  bool is_foreign = false;  // its `gdb` is QEMU's own stub
};

// What a start of a clone and of a dump have in common.
Result<format::ControlClone> clone_message(const CloneStartOptions& options, CloneClock clock);

// `temporary`: of the folder, goes with the instance.
Result<StartedClone> start_clone(const std::filesystem::path& folder, const CloneStartOptions& options,
                                 std::optional<TemporaryFolder> temporary);

}  // namespace mortem::tools
