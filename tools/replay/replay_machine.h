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
  ProcessIdentity process() const { return process_; }
  GuestRam& ram() { return *ram_; }
  Qmp& qmp() { return *qmp_; }
  QemuStub& stub() { return stub_; }
  uint64_t position() const { return position_; }  // instructions since the beginning

  // Asked while it runs: true breaks off.
  std::function<bool()> break_off = [] { return false; };

  // On to a count of instructions, or until a point stops it.
  Result<RunEnd> run_to(uint64_t instructions);
  // Of the last stop at a point: what was accessed, if that was a watchpoint's.
  std::optional<uint64_t> watched_address() const;
  // One instruction, or the entry into the kernel in its stead.
  Result<void> step();
  // QEMU's state of processor and devices under that name, and back to it. The memory is the caller's.
  Result<void> save(const std::string& name);
  Result<void> load(const std::string& name, uint64_t instructions);
  Result<void> forget(const std::string& name);

 private:
  ReplayMachine(Recording recording, std::unique_ptr<GuestRam> ram)
      : recording_(std::move(recording)), ram_(std::move(ram)) {}
  Result<void> start_qemu(const std::filesystem::path& folder, Descriptor keeper, Descriptor theirs);
  Result<void> monitor(const std::string& command);
  Result<std::string> wait_for_stop(bool& interrupted);
  Error hung(const std::string& what);

  Recording recording_;
  std::unique_ptr<GuestRam> ram_;
  ProcessIdentity process_;
  std::optional<TemporaryFolder> temporary_;
  std::optional<Qmp> qmp_;
  QemuStub stub_;
  uint64_t position_ = 0;
  std::string why_;  // the last stop reply
  std::filesystem::path folder_;
};

}  // namespace mortem::tools
