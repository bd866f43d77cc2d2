// Starting a replay: an instance of its own in the background, which gdb finds by its name.
#pragma once

#include <filesystem>
#include <string>

#include "snapshot/result.h"

namespace mortem::tools {

struct ReplayOptions {
  std::string name;  // empty: from the recording
  std::string at;    // begin, crash, end or a count; empty: the crash, else the beginning
};

struct StartedReplay {
  std::string name;
  std::filesystem::path instance;
  pid_t keeper = 0;
  uint64_t position = 0;
  double seconds = 0;
};

// Runs the whole recording and compares it with what was seen when it was made.
struct ReplayCheck {
  size_t points = 0, same_registers = 0, same_memory = 0;
  size_t unknown_memory = 0;  // points at which a request to the disk was on its way
  bool same_end = false;      // in both
  uint64_t instructions = 0;
  double seconds = 0;
};
Result<ReplayCheck> check_replay(const std::filesystem::path& folder, const ReplayOptions& options);

Result<StartedReplay> start_replay(const std::filesystem::path& folder, const ReplayOptions& options);

}  // namespace mortem::tools
