// Whoever clones a guest may be killed at any moment, and QEMU would wait for ever for what was to come next: a guest
// that was stopped for its last pages stays stopped. So a second process watches the first and puts the guest right if
// it goes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/qemu/clone_disks.h"
#include "tools/qemu/clone_migration.h"
#include "tools/qemu/qmp.h"

namespace mortem::tools {

using QmpConnector = std::function<Result<Qmp>()>;

// A guest as it was before.
struct CloneOriginal {
  bool was_running = true;
  std::vector<GuestDrive> drives;
  std::optional<MigrationSettings> settings;
};

// Ends whatever of a clone is under way in that QEMU and lets its guest go on if it ran.
Result<void> undo_clone(Qmp& qmp, const CloneOriginal& original);

class CloneGuard {
 public:
  // `background` is the pipe that a background snapshot would come through: it has to be read to its end, whatever
  // becomes of us (clone_migration.cpp). `folder` goes too, if the watched process goes before dismiss().
  static Result<CloneGuard> start(const QmpConnector& connect, const CloneOriginal& original,
                                  const std::filesystem::path& folder, const MigrationPipe& background);
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
