// The disks of a guest that is being cloned: QEMU copies each as it was at one moment into a file of ours while the
// guest writes on (blockdev-backup: what the guest is about to overwrite is copied first). The guest's own chain of
// images stays as it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/qemu/qmp.h"

namespace mortem::tools {

struct ClonedDisk {
  std::string device;  // QEMU's name of the drive, or of its topmost node
  std::string name;    // the file's, in the clone's folder
  uint64_t size = 0;   // of the disk
  Descriptor file;
};

// What the guest has of disks, each with a new empty qcow2 file below `folder`, given to that QEMU. Read-only ones and
// empty drives are left out.
Result<std::vector<ClonedDisk>> prepare_disks(Qmp& qmp, const std::filesystem::path& folder);

// While the guest stands still: sends the commands that begin the copies, without waiting. Their answers are to be
// taken by begun_disks().
Result<void> begin_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks);
Result<void> begun_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks);
// To the end of all copies, then takes the files from that QEMU.
Result<void> finish_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks, const std::function<Result<void>()>& go_on);

}  // namespace mortem::tools
