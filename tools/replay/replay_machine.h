// QEMU that runs a recording again: stopped at first, at its beginning. It is moved by counts of instructions.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/qemu/instance.h"
#include "tools/qemu/qmp.h"
#include "tools/replay/guest_ram.h"
#include "tools/replay/qemu_stub.h"
#include "tools/replay/recording.h"

namespace mortem::tools {

enum class RunEnd : uint8_t { Reached, Point, Interrupted };

class ReplayMachine {
 public:
  // `folder`: of the instance, where its sockets and logs are. QEMU ends with this process.
  static Result<std::unique_ptr<ReplayMachine>> start(const Recording& recording, const std::filesystem::path& folder);
  ~ReplayMachine();

  const Recording& recording() const { return recording_; }
  GuestRam& ram() { return *ram_; }
  Qmp& qmp() { return *qmp_; }
  QemuStub& stub() { return stub_; }
  uint64_t position() const { return position_; }                  // instructions since the beginning
  uint64_t running_position() const { return running_position_; }  // while it runs: where it was a moment ago

  // Asked while it runs: true breaks off.
  std::function<bool()> break_off = [] { return false; };
  // But not before that count: in the boot there is no thread that could be shown, and QEMU 7.2, stopped where it reads
  // random numbers, does not find them in its log afterwards.
  uint64_t breaks_off_from = 0;

  // On to a count of instructions, or until a point stops it.
  Result<RunEnd> run_to(uint64_t instructions);
  // What comes from outside at the instruction where it stands (a disk's answer, a packet) is there by chance, until
  // all of it is taken; an interrupt, too, then.
  Result<void> take_events();
  // Of the last stop at a point: what was accessed, if that was a watchpoint's.
  std::optional<uint64_t> watched_address() const;
  // One instruction, or the entry into the kernel in its stead.
  Result<void> step();
  // Back to the recording's beginning, in a QEMU of its own.
  Result<void> begin();
  bool is_running() const { return process_ > 0; }  // QEMU; begin() starts another one

  // The state of processor, devices and disk, but not of the memory, by a name. False: it cannot be kept here, since a
  // request to the disk is on its way.
  Result<bool> save_state(const std::string& name);
  // It stands where that was saved then; with an error it is of no use until begin().
  Result<void> load_state(const std::string& name);
  Result<void> delete_state(const std::string& name);
  const std::filesystem::path& temporary_folder() const { return temporary_->path(); }

 private:
  ReplayMachine(Recording recording, std::unique_ptr<GuestRam> ram)
      : recording_(std::move(recording)), ram_(std::move(ram)) {}
  Result<void> start_qemu(Descriptor keeper, Descriptor theirs);
  Result<RunEnd> run_until(uint64_t instructions);
  Result<void> restart();
  void end_qemu();
  Result<std::string> wait_for_stop(bool& interrupted);
  Result<void> run_job(const std::string& command, nlohmann::json arguments);
  Error hung(const std::string& what);

  Recording recording_;
  std::unique_ptr<GuestRam> ram_;
  pid_t process_ = 0;
  std::optional<TemporaryFolder> temporary_;
  std::optional<Qmp> qmp_;
  QemuStub stub_;
  uint64_t position_ = 0, running_position_ = 0;
  std::string why_;    // the last stop reply
  uint64_t jobs_ = 0;  // of QEMU, so far
  std::filesystem::path folder_;
};

}  // namespace mortem::tools
