// Makes the index of a file: everything that is asked of its debug information by address, in flat arrays.
#pragma once

#include <filesystem>
#include <memory>

#include "inspector/elf/elf_image.h"
#include "snapshot/progress.h"
#include "snapshot/result.h"

namespace mortem::inspector::index {

// `debug`: with the debug information; may be `executable` itself. Written beside `to` and renamed, so that readers and
// other writers see a whole index or none. Uses two threads.
Result<void> build_index(const std::shared_ptr<const ElfImage>& executable,
                         const std::shared_ptr<const ElfImage>& debug, const std::filesystem::path& to,
                         const snapshot::Progress& progress);

}  // namespace mortem::inspector::index
