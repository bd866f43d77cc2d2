// A moment of a recorded guest as a dump of it would be.
#pragma once

#include <memory>

#include "snapshot/clone/cpu_state.h"
#include "snapshot/core_file.h"
#include "snapshot/result.h"
#include "tools/replay/guest_ram.h"
#include "tools/replay/recording.h"

namespace mortem::tools {

// `ram` outlives it. An error: the guest's kernel has not begun to run.
Result<std::unique_ptr<snapshot::CoreFile>> open_recorded_moment(const Recording& recording, const GuestRam& ram,
                                                                 const snapshot::CpuState& processor);

}  // namespace mortem::tools
