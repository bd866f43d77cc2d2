// A clone's folder as an ELF core, put together while it is read: the notes of its moment and the guest's memory where
// it stands. So everything that reads dumps reads clones, without a start of them.
#pragma once

#include <filesystem>
#include <memory>

#include "snapshot/byte_source.h"
#include "snapshot/result.h"

namespace mortem::snapshot {

// An error names the file and what is wrong: cut, changed, not of a Mortem guest.
Result<std::unique_ptr<ByteSource>> open_clone(const std::filesystem::path& folder);

}  // namespace mortem::snapshot
