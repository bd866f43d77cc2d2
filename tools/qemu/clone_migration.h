// The state of a guest out of its QEMU: one migration whose other end is us.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "snapshot/clone/migration_stream.h"
#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/qemu/qmp.h"
#include "tools/qemu/unseen_writes.h"

namespace mortem::tools {

enum class CloneMethod { PreCopy, Background, Stop };
const char* clone_method_name(CloneMethod method);  // pre-copy, background-snapshot, stop-and-copy

// Of the first round of a pre-copy: while more than that is to be sent QEMU does not look for what was written.
inline constexpr uint64_t kPreCopyNearBytes = 16 << 20;

// Whether a pre-copy of the guest that runs there misses nothing that it writes (unseen_writes.h).
Result<bool> sees_all_writes(Qmp& qmp);

// QEMU's migration settings as they were; set back by restore().
class MigrationSettings {
 public:
  static Result<MigrationSettings> take(Qmp& qmp);
  Result<void> set(Qmp& qmp, CloneMethod method) const;
  void restore(Qmp& qmp) const;  // as far as QEMU lets us

 private:
  nlohmann::json capabilities_, parameters_;
};

// Through which a QEMU sends its state.
struct MigrationPipe {
  Descriptor from, to;
  static Result<MigrationPipe> create();
};

struct MigrationOutcome {
  snapshot::ReceivedState state;
  int64_t stopped_at_us = 0, resumed_at_us = 0;  // by QEMU's clock, 0: not seen
  bool began = false;                            // QEMU sent something
};

struct MigrationRequest {
  CloneMethod method = CloneMethod::PreCopy;
  double patience_seconds = 30;    // for a pre-copy to come to its end
  int memory = -1, state = -1;     // files
  UnseenWrites* unseen = nullptr;  // of a pre-copy that would miss some
  // What is to be done while the guest stands still with its state complete; it does not go on by itself.
  std::function<Result<void>()> in_pause;
  std::function<Result<void>()> go_on;  // an error ends it
  // Of the guest's memory, bytes; a guest that writes brings some of it back.
  std::function<void(uint64_t left, uint64_t all)> progress;
};

enum class MigrationEnd { Done, NoConvergence, MissesWrites, GuestIsSilent };

// NotFound-like ends are errors; no error is a pre-copy that cannot keep up, whose guest stopped too early
// (UnseenWrites::has_stopped_well), or whose guest answers no more. In each case but Done the guest runs on, but for a
// background snapshot that began: somebody has to read its pipe to its end then (clone_guard.h).
Result<MigrationEnd> run_migration(Qmp& qmp, const MigrationRequest& request, MigrationPipe pipe,
                                   MigrationOutcome& outcome);

}  // namespace mortem::tools
