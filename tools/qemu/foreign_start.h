// Starting a clone of a guest that is not ours: under its own QEMU options, standing still, with QEMU's stub for
// debuggers.
#pragma once

#include "snapshot/clone/clone_description.h"
#include "tools/qemu/clone_start.h"

namespace mortem::tools {

// `clone` is the folder's description, checked.
Result<StartedClone> start_foreign_clone(const std::filesystem::path& folder, const snapshot::CloneDescription& clone,
                                         const CloneStartOptions& options, std::optional<TemporaryFolder> temporary);

}  // namespace mortem::tools
