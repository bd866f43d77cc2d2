// A clone of a running guest, taken through QEMU's machine protocol: memory, devices and disks of one moment into files
// of a folder, while the guest serves. In every failure the guest runs on and its disks are as before.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/qemu/clone_guard.h"
#include "tools/qemu/clone_migration.h"
#include "tools/qemu/qmp.h"

namespace mortem::tools {

struct LiveCloneRequest {
  QmpConnector connect;
  std::filesystem::path instance;  // the folder of a guest of ours; empty: of another
  std::filesystem::path folder;    // is made; of nobody else
  std::vector<CloneMethod> methods = {CloneMethod::PreCopy, CloneMethod::Background, CloneMethod::Stop};
  double patience_seconds = 30;
  std::function<void(const std::string&)> say;                // a step down, with its cost
  std::function<Result<void>()> go_on;                        // an error ends the clone
  std::function<void(uint64_t done, uint64_t all)> progress;  // of memory and disks, bytes; never backwards
};

struct LiveClone {
  std::optional<CloneGuard> guard;  // removes the folder if this process ends before it is dismissed
  CloneMethod method = CloneMethod::PreCopy;
  snapshot::ReceivedState state;
  struct Disk {
    std::string device, file;
    uint64_t size = 0;
  };
  std::vector<Disk> disks;
  std::string qemu_version;
  bool was_running = true;
  double stopped_ms = 0;                  // from QEMU's STOP to its RESUME; the longest
  double seconds = 0;                     // all in all
  int64_t moment_us = 0;                  // of the moment, since 1970
  std::optional<double> processor_share;  // processor_time.h, while it was copied
};

inline constexpr const char* kCloneMemoryFile = "memory";
inline constexpr const char* kCloneStateFile = "state";

Result<LiveClone> take_live_clone(const LiveCloneRequest& request);

}  // namespace mortem::tools
