// The disks of a guest that is being cloned. While it stands still a filter comes between the guest and each disk
// (QEMU's copy-before-write): what the guest is about to overwrite is kept in a file of ours first, so that the disk
// can be read as it was at that moment, and copied while the guest writes on. The filter, not a backup job alone,
// because only it lets the guest write on when that file cannot be written (a full disk): the copy is broken then, not
// the guest. Its own chain of images stays as it is, and the filter goes when the copy is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/qemu/qmp.h"

namespace mortem::tools {

// What our jobs, block nodes and descriptors in a QEMU are called; disk number N has its number behind it.
inline constexpr const char* kCloneJob = "mortem-clone-job-";
inline constexpr const char* kCloneNode = "mortem-clone-node-";
inline constexpr int kCloneFirstFdSet = 0x4D54, kMostCloneFdSets = 256;

struct GuestDrive {
  std::string name;    // for people: of the drive, or of its topmost node
  std::string device;  // of the guest that it belongs to: an id or a path of QEMU's object model
  std::string node;    // the topmost of its chain
  uint64_t size = 0;
};
// All that a device of the guest can write to; read-only ones and empty drives are left out.
Result<std::vector<GuestDrive>> guest_drives(Qmp& qmp);

struct ClonedDisk {
  GuestDrive drive;
  std::string name;       // the copy's file, in the clone's folder
  Descriptor file, kept;  // the copy; what the guest overwrote meanwhile, a file without a name
};

// A new empty qcow2 file below `folder` for each, given to that QEMU.
Result<std::vector<ClonedDisk>> prepare_disks(Qmp& qmp, const std::vector<GuestDrive>& drives,
                                              const std::filesystem::path& folder);

// While the guest stands still: sends the commands that put the filters in, without waiting. Their answers are to be
// taken by begun_disks().
Result<void> begin_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks);
Result<void> begun_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks);
// Copies them to their ends, then takes filters and files from that QEMU. `progress` gets the bytes of all that are
// done.
Result<void> finish_disks(Qmp& qmp, const std::vector<ClonedDisk>& disks, const std::function<Result<void>()>& go_on,
                          const std::function<void(uint64_t)>& progress);

// Every drive on its own chain again, whatever stands before it. No job may copy any more.
Result<void> take_filters_away(Qmp& qmp, const std::vector<GuestDrive>& drives);

}  // namespace mortem::tools
