// A clone made into a dump: what it takes to go on on a machine that is not the original's, as a recorded one.
#pragma once

#include <filesystem>

#include "snapshot/result.h"

namespace mortem::tools {

// Starts the clone, cut off and with its program held, has its kernel write a dump of that moment, and ends it. `disk`:
// the new qcow2 file that gets it (snapshot/image_target.h opens it), on top of the clone's own disk, which is
// returned: that of the moment, while the kernel may have begun something new on the other before it was ended.
Result<std::filesystem::path> dump_clone(const std::filesystem::path& folder, const std::filesystem::path& disk);

}  // namespace mortem::tools
