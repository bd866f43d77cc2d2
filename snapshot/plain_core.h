// The plain ELF core for other tools (gdb, lldb, eu-stack, drgn), out of a compressed dump.
#pragma once

#include <filesystem>

#include "snapshot/core_file.h"
#include "snapshot/output_file.h"
#include "snapshot/progress.h"

namespace mortem::snapshot {

// A sparse file, mode 0600: blocks of zeros are holes. On an error nothing is left behind.
Result<void> write_plain_core(const CoreFile& core, const std::filesystem::path& path,
                              Existing existing = Existing::Keep, const Progress& progress = {});

}  // namespace mortem::snapshot
