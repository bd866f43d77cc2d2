// Clones as folders: from whom, and whole or not at all.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/clone/clone_description.h"
#include "snapshot/result.h"
#include "tools/qemu/clone_migration.h"
#include "tools/qemu/instance.h"
#include "tools/qemu/live_clone.h"

namespace mortem::tools {

struct CloneSource {
  std::string name;
  QmpConnector connect;
  std::optional<RunningInstance> instance;  // of ours
};

// A guest's name, qmp:PATH, or a domain of libvirt's: qemu:///system/NAME.
Result<CloneSource> find_clone_source(const std::string& text);
// auto, pre-copy, background-snapshot, stop-and-copy
Result<std::vector<CloneMethod>> clone_methods(const std::string& text);

// In the folder that grows (new_folder.h): how far it is, "DONE ALL\n" in bytes, for whoever shows that.
inline constexpr const char* kCloneProgressFile = "progress";

// Whether a clone is to be understood elsewhere: the files of its program and libraries are in its folder then.
enum class CloneUse : uint8_t { Anywhere, Here };

// The folder must not exist; it appears when all is in it.
Result<snapshot::CloneDescription> clone_into_folder(const CloneSource& source, const std::filesystem::path& folder,
                                                     const std::vector<CloneMethod>& methods, double patience_seconds,
                                                     CloneUse use);

}  // namespace mortem::tools
