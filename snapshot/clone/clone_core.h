// A clone's folder as an ELF core, put together while it is read: the notes of its moment and the guest's memory where
// it stands. So everything that reads dumps reads clones, without a start of them.
#pragma once

#include <filesystem>
#include <memory>

#include "snapshot/byte_source.h"
#include "snapshot/clone/clone_description.h"
#include "snapshot/clone/cpu_state.h"
#include "snapshot/folder_checksums.h"
#include "snapshot/result.h"

namespace mortem::snapshot {

// A moment of a guest whose memory and processor are at hand otherwise: `description` says what there is to say of it.
// `memory` is read as long as the result lives.
Result<std::unique_ptr<ByteSource>> open_moment(const CloneDescription& description, std::string name,
                                                std::unique_ptr<ByteSource> memory, const CpuState& cpu);
// Compares sizes, and the content of the small files, with what was written; the result is empty where nothing was kept
// to compare with (an older mortem). An error names the file and what is wrong.
Result<FolderChecksums> check_clone_files(const std::filesystem::path& folder, const CloneDescription& clone);
// An error names the file and what is wrong: cut, changed, not of a Mortem guest.
Result<std::unique_ptr<ByteSource>> open_clone(const std::filesystem::path& folder);

}  // namespace mortem::snapshot
