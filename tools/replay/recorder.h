// The recording of one run while it runs: QEMU is watched through a QMP connection of our own, the guest is looked at
// now and then for the checks of a replay, and ends so that the log is whole.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inspector/symbols/symbolizer.h"
#include "snapshot/core_file.h"
#include "snapshot/format/control.h"
#include "snapshot/result.h"
#include "tools/qemu/qmp.h"
#include "tools/replay/guest_ram.h"
#include "tools/replay/recording.h"

namespace mortem::tools {

// What QEMU says of the processor, as far as it is the same in a replay.
Result<std::string> processor_text(Qmp& qmp);
Result<uint64_t> instruction_count(Qmp& qmp);
// Requests to the machine's disk that are on their way.
Result<uint64_t> disk_requests(Qmp& qmp, const Machine& machine);
Result<RecordingCheck> check_of(Qmp& qmp, const Machine& machine, GuestRam& ram);

class Recorder {
 public:
  // `folder` is there, with image and kernel in it.
  Recorder(std::filesystem::path folder, Recording recording)
      : folder_(std::move(folder)), recording_(std::move(recording)) {}

  // Where the files of its modules are looked for, which are kept in the folder at the end.
  void look_for_modules_in(inspector::SymbolOptions where) { where_ = std::move(where); }
  // Before QEMU starts: what it is given, and the description of a recording that is not finished.
  Result<void> prepare(Machine& machine);
  // QEMU was started with it.
  Result<void> connect();
  bool has_begun() const { return has_begun_; }  // QEMU runs, or ran
  void discard();                                // one that has not: its folder goes
  int descriptor() const { return qmp_ ? qmp_->socket() : -1; }
  void begin_checks(std::function<void(format::ControlType)> tell_guest);  // the program runs
  int milliseconds_until_check() const;                                    // -1: there is none
  // When QEMU has said something, or that time is over. True: the guest has ended, and finish() is to be called.
  bool serve();
  // The guest has answered HoldStill: what there is to compare is kept, and it goes on.
  void check();
  // Ends QEMU where the guest is now; what follows it is its end.
  Result<void> finish();
  // QEMU has ended. `end`: why, in words.
  Result<void> complete(const std::string& end);

  const std::filesystem::path& folder() const { return folder_; }
  const std::vector<int>& inherited() const { return inherited_; }  // descriptors that QEMU needs

 private:
  using Clock = std::chrono::steady_clock;
  Result<void> add_check();
  void look_at_modules();

  const std::filesystem::path folder_;
  Recording recording_;
  inspector::SymbolOptions where_;
  std::unique_ptr<GuestRam> ram_;
  std::map<std::vector<uint8_t>, snapshot::CoreModule> modules_;  // that the guest had at a look at it, by their ids
  Descriptor ours_, theirs_;
  std::vector<int> inherited_;
  std::optional<Qmp> qmp_;
  bool has_begun_ = false, finished_ = false;
  std::optional<Clock::time_point> next_check_;
  std::chrono::milliseconds check_distance_{250};  // grows: a long recording is not looked at more often
  std::function<void(format::ControlType)> tell_guest_;
};

}  // namespace mortem::tools
