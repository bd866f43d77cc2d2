// ~/.cache/mortem (or $XDG_CACHE_HOME/mortem): kernels and apps that were packed here, by build id.
#pragma once

#include <filesystem>
#include <string>

#include "snapshot/result.h"

namespace mortem::tools {

std::filesystem::path local_store();                         // not created by this call
std::filesystem::path path_in_store(const std::string& id);  // where the file of a build id is kept, if it is
// Keeps a copy of an ELF file as build-id/XX/REST (lower-case hexadecimal of its GNU build id, else of its SHA-256);
// returns the path. Files used least recently go when the store is past its bound (4 GiB).
Result<std::filesystem::path> keep_in_store(const std::filesystem::path& elf);
// Where the separate debug file of a build id stands on this machine (below /usr/lib/debug/.build-id), recorded in the
// store as a link build-id/XX/REST.debug; empty: there is none.
std::filesystem::path record_debug_file(const std::string& id);

}  // namespace mortem::tools
