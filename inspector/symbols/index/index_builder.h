// Makes the index of a file: everything that is asked of its debug information by address, in flat arrays.
#pragma once

#include <filesystem>

#include "inspector/symbols/index/indexed_files.h"
#include "inspector/symbols/path_rules.h"
#include "snapshot/progress.h"
#include "snapshot/result.h"

namespace mortem::inspector::index {

// Written beside `to` and renamed, so that readers and other writers see a whole index or none. Uses two threads.
// Libdwarf reads the call frame information: run it where a crash is contained.
// `rules`: by which .dwo files are found; all of them must be there.
Result<void> build_index(const IndexedFiles& files, const PathRules& rules, const std::filesystem::path& to,
                         const snapshot::Progress& progress);

}  // namespace mortem::inspector::index
