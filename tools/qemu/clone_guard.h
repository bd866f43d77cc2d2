// Whoever clones a guest may be killed at any moment, and QEMU would wait for ever for what was to come next: a guest
// that was stopped for its last pages stays stopped. So a second process watches the first and puts the guest right if
// it goes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>

#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/qemu/qmp.h"

namespace mortem::tools {

using QmpConnector = std::function<Result<Qmp>()>;

// What our jobs, block nodes and descriptors in a QEMU are called; disk number N has its number behind it.
inline constexpr const char* kCloneJob = "mortem-clone-job-";
inline constexpr const char* kCloneNode = "mortem-clone-node-";
inline constexpr int kCloneFirstFdSet = 0x4D54;

// Ends whatever of a clone is under way in that QEMU and lets its guest go on if `was_running`.
Result<void> undo_clone(Qmp& qmp, bool was_running);

class CloneGuard {
 public:
  // `folder` goes too, if the watched process goes before dismiss().
  static Result<CloneGuard> start(const QmpConnector& connect, bool was_running, const std::filesystem::path& folder);
  CloneGuard(CloneGuard&&) = default;
  CloneGuard& operator=(CloneGuard&&) = default;
  // Nothing is left to put right.
  void dismiss();

 private:
  CloneGuard(Descriptor line, pid_t process) : line_(std::move(line)), process_(process) {}
  Descriptor line_;
  pid_t process_;
};

}  // namespace mortem::tools
