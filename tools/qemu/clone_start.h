// Starting a clone's folder: an instance of its own, cut off, that goes on from the clone's moment.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/files.h"

namespace mortem::tools {

enum class CloneClock { GoesOn, Now };

struct CloneStartOptions {
  std::string name;  // empty: from the clone
  std::string network = "none";
  std::vector<std::string> ports;
  CloneClock clock = CloneClock::GoesOn;
  bool holds_app = true;
};

struct StartedClone {
  std::string name;
  std::filesystem::path instance;
  double seconds = 0;
};

// `temporary`: of the folder, goes with the instance.
Result<StartedClone> start_clone(const std::filesystem::path& folder, const CloneStartOptions& options,
                                 std::optional<TemporaryFolder> temporary);

}  // namespace mortem::tools
