// Checksums of a clone's or recording's folder (snapshot/folder_checksums.h): written when it is complete, and all of
// them compared when that is asked for.
#pragma once

#include <cstdint>
#include <filesystem>

#include "snapshot/result.h"

namespace mortem::tools {

// Of all files in it but `description`, which is to have what this returns: XXH64 of the file that it writes.
Result<uint64_t> write_checksums(const std::filesystem::path& folder, const std::string& description);

// Reads all of a clone's or recording's files; a bar on a terminal shows how far it is. Gives their bytes. Unavailable:
// there is nothing to compare with.
Result<uint64_t> check_whole_folder(const std::filesystem::path& folder);

}  // namespace mortem::tools
