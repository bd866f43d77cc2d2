// The command line of a QEMU that is not ours, and the one of a copy of its guest: the same machine, whose memory and
// disks are the clone's, cut off from all that the original speaks with. What no copy could have (a device of the
// host's, a folder shared with it) is refused; so is an option that is not known here, for it could lead out.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::tools {

// Files whose content the copy needs on another machine, too, as the command line names them: kernels, firmware.
Result<std::vector<std::string>> foreign_boot_files(const std::vector<std::string>& command);

struct ForeignDisk {
  std::string name;                      // QEMU's, of the drive or of its topmost node
  std::filesystem::path image, overlay;  // qcow2: of the moment, and what the copy writes on top of it
  uint64_t size = 0;
};

struct ForeignCopy {
  std::string name, machine_type;  // pc-q35-7.2
  std::string memory_block;        // QEMU's name of the main memory
  uint64_t memory_bytes = 0;
  std::filesystem::path memory_file;
  std::vector<ForeignDisk> disks;
  std::vector<std::pair<std::string, std::filesystem::path>> boot_files;  // as named, where the copy finds it
  std::filesystem::path folder;                                           // that the original's relative names begin in
  bool reaches_host = false;                                              // over QEMU's own network
  std::vector<std::string> forwards;                                      // values of hostfwd=
  int state = -1;                                                         // descriptor that the state comes out of
  std::function<Result<int>()> open_tap;  // a descriptor of a tap device that nobody else has
};

struct ForeignCommand {
  std::vector<std::string> line;     // behind the program's name
  std::vector<std::string> netdevs;  // ids, as set_link takes them
};

// Sockets are named relative to the folder in which it is to be started: `qmp`, and `gdb`, QEMU's own stub.
Result<ForeignCommand> foreign_copy_command(const std::vector<std::string>& command, const ForeignCopy& copy);

}  // namespace mortem::tools
