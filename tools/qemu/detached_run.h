// A guest that goes on when the command ends: a process in the background, its monitor, looks after it.
#pragma once

#include <functional>
#include <optional>

#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/qemu/guest_run.h"
#include "tools/qemu/instance.h"

namespace mortem::tools {

inline constexpr int kReadyMilliseconds = 10'000;  // how long the program's start is waited for

struct DetachedRun {
  pid_t monitor = 0;
  bool is_ready = true;  // false: nothing was heard of it in that time
};

// `temporary` goes with the guest. An error if its monitor says one before the program runs.
Result<DetachedRun> run_detached(RunPlan plan, Instance instance, std::optional<TemporaryFolder> temporary);

// What the monitor does in its process, to the guest's end; writes "ready\n" into the pipe once the guest is what it
// is to be. It may keep `temporary` by releasing it.
using MonitorWork =
    std::function<Result<void>(Instance& instance, std::optional<TemporaryFolder>& temporary, int ready_pipe)>;
Result<DetachedRun> run_detached(MonitorWork work, Instance instance, std::optional<TemporaryFolder> temporary);

}  // namespace mortem::tools
