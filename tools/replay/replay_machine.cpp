#include "tools/replay/replay_machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>

#include "tools/child_program.h"
#include "tools/output.h"
#include "tools/qemu/empty_qcow2.h"
#include "tools/qemu/qemu_process.h"
#include "tools/replay/recorder.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kReplayMilliseconds = 30'000;
constexpr int kLook = 100;         // milliseconds between looks at a machine that runs
constexpr int kStandsStill = 300;  // looks without an instruction after which it is taken for hung

// Where the recording cannot be the same, told before QEMU says it in its way.
Result<void> check_qemu(const Recording& recording, const std::string& version) {
  const auto series = [](const std::string& text) { return text.substr(0, text.find('.', text.find('.') + 1)); };
  if (series(recording.qemu_version) == series(version)) return {};
  return failure(ErrorKind::Unsupported,
                 fmt::format("recorded by QEMU {}, this machine has {}: it replays only where there is {}.x",
                             recording.qemu_version, version, series(recording.qemu_version)));
}

Result<void> make_empty_disk(const fs::path& path, uint64_t size) {
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return system_failure("cannot make", path);
  return write_empty_qcow2(file.get(), size);
}

}  // namespace

Result<std::unique_ptr<ReplayMachine>> ReplayMachine::start(const Recording& recording, const fs::path& folder) {
  auto ram = TRY(GuestRam::create(recording.machine.memory));
  std::unique_ptr<ReplayMachine> machine(new ReplayMachine(recording, std::move(ram)));
  machine->folder_ = folder;
  Machine& options = machine->recording_.machine;
  options.qemu = TRY(find_qemu());
  TRY_VOID(check_qemu(recording, TRY(qemu_version(options.qemu))));
  if (options.small_firmware && !has_small_firmware(options.qemu))
    return failure(ErrorKind::NotFound,
                   "recorded with the firmware qboot, which is not installed: apt-get install "
                   "qemu-system-data");
  machine->temporary_ = TRY(TemporaryFolder::create());
  options.image_format = recording.image_format;
  options.name = recording.name;
  options.exit_on_reset = true;
  options.network.ports.clear();
  if (options.network.kind == NetworkKind::User) options.network.kind = NetworkKind::Isolated;
  options.recorded.mode = Determinism::Replay;
  options.recorded.memory = machine->ram_->descriptor();
  options.recorded.overlay = machine->temporary_->path() / "disk.qcow2";
  TRY_VOID(machine->begin());
  return machine;
}

// From the beginning: with disk and memory as they were.
Result<void> ReplayMachine::begin() {
  end_qemu();
  TRY_VOID(ram_->clear());
  if (recording_.from_dump) TRY_VOID(ram_->load(recording_.memory()));
  Machine& options = recording_.machine;
  std::error_code error;
  constexpr uint64_t kNoDisk = 1 << 20;  // the file is there for the moments then
  fs::remove(options.recorded.overlay, error);
  TRY_VOID(make_empty_disk(options.recorded.overlay, options.image ? fs::file_size(*options.image, error) : kNoDisk));
  return restart();
}

Result<void> ReplayMachine::restart() {
  end_qemu();
  std::error_code error;
  fs::remove(folder_ / "qmp", error);
  fs::remove(folder_ / "qemu-gdb", error);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_failure("cannot make", "a socket");
  Descriptor ours(ends[0]), theirs(ends[1]);
  recording_.machine.recorded.keeper = theirs.get();
  return start_qemu(std::move(ours), std::move(theirs));
}

void ReplayMachine::end_qemu() {
  if (process_ <= 0) return;
  kill(process_, SIGKILL);  // nothing of it is needed any more
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

Result<void> ReplayMachine::start_qemu(Descriptor keeper, Descriptor theirs) {
  const fs::path& folder = folder_;
  process_ = TRY(launch_qemu({qemu_command_line(recording_.machine), folder, {theirs.get(), ram_->descriptor()}}));
  theirs.reset();
  auto qmp = Qmp::over(std::move(keeper), kReplayMilliseconds);
  if (!qmp) return tl::unexpected(hung("it does not start"));
  qmp_ = std::move(*qmp);
  stub_ = QemuStub(TRY(connect_to(folder, "qemu-gdb")));
  TRY_VOID(stub_.attach());
  position_ = TRY(instruction_count(*qmp_));
  // The memory is ours to keep.
  const json shared = {{"capability", "x-ignore-shared"}, {"state", true}};
  TRY(qmp_->execute("migrate-set-capabilities", {{"capabilities", json::array({shared})}}));
  return {};
}

ReplayMachine::~ReplayMachine() {
  end_qemu();
}

// It does not answer, or stands still: no use in asking it to end.
Error ReplayMachine::hung(const std::string& what) {
  end_qemu();
  const auto log = read_text_file(folder_ / "qemu.log");
  const std::string complaint = log ? printable(last_line(*log)) : std::string();
  return {ErrorKind::System,
          fmt::format("QEMU's replay failed: {}{}{}", what, complaint.empty() ? "" : ": ", complaint)};
}

// The stop reply. What hangs is killed.
Result<std::string> ReplayMachine::wait_for_stop(bool& interrupted) {
  running_position_ = position_;
  int still = 0;
  for (;;) {
    auto stopped = stub_.stopped(kLook);
    if (!stopped) return tl::unexpected(hung(stopped.error().message));
    if (*stopped) return **stopped;
    if (!interrupted && break_off() && running_position_ >= breaks_off_from) {
      interrupted = true;
      TRY_VOID(stub_.interrupt());
    }
    const auto now = instruction_count(*qmp_);
    if (!now) return tl::unexpected(hung(now.error().message));
    still = *now == running_position_ ? still + 1 : 0;
    running_position_ = *now;
    if (still >= kStandsStill) return tl::unexpected(hung(fmt::format("it stands still at instruction {}", *now)));
  }
}

Result<RunEnd> ReplayMachine::run_to(uint64_t instructions) {
  why_.clear();
  if (instructions <= position_ || position_ >= recording_.instructions) return RunEnd::Reached;
  return run_until(instructions);
}

Result<void> ReplayMachine::take_events() {
  if (position_ < recording_.instructions) TRY(run_until(position_));
  return {};
}

Result<RunEnd> ReplayMachine::run_until(uint64_t instructions) {
  TRY(qmp_->execute("replay-break", {{"icount", instructions}}));
  TRY_VOID(stub_.go_on());
  bool interrupted = false;
  why_ = TRY(wait_for_stop(interrupted));
  position_ = TRY(instruction_count(*qmp_));
  const bool is_point = why_.starts_with("T05");
  if (position_ == instructions && !is_point) return RunEnd::Reached;
  TRY(qmp_->execute("replay-delete-break"));
  if (position_ > instructions) return tl::unexpected(hung(fmt::format("it ran past instruction {}", instructions)));
  if (is_point) return RunEnd::Point;
  if (interrupted) return RunEnd::Interrupted;
  // The guest has ended: at once where it asked for it, while QEMU ran it some hundred instructions more when
  // recording.
  recording_.instructions = position_;
  return RunEnd::Reached;
}

std::optional<uint64_t> ReplayMachine::watched_address() const {
  const size_t key = why_.find("watch:");
  if (key == std::string::npos) return std::nullopt;
  return std::strtoull(why_.c_str() + key + 6, nullptr, 16);
}

Result<void> ReplayMachine::step() {
  why_.clear();
  if (position_ >= recording_.instructions) return {};
  TRY_VOID(stub_.step());
  bool interrupted = false;
  why_ = TRY(wait_for_stop(interrupted));
  position_ = TRY(instruction_count(*qmp_));
  return {};
}

// Through the disk's own node: the vm's state goes with a snapshot of the disk, and blkreplay, which stands before it,
// would wait for a flush that is not in the log.
Result<void> ReplayMachine::run_job(const std::string& command, json arguments) {
  const std::string job = fmt::format("state-{}", ++jobs_);
  arguments["job-id"] = job;
  arguments["devices"] = json::array({kRecordedDiskNode});
  TRY(qmp_->execute(command, std::move(arguments)));
  for (bool is_over = false; !is_over;) {
    const auto event = TRY(qmp_->next_event(kReplayMilliseconds));
    if (!event) return tl::unexpected(hung(command + " does not end"));
    const json data = event->value("data", json::object());
    is_over = event->value("event", "") == "JOB_STATUS_CHANGE" && data.value("id", "") == job &&
              data.value("status", "") == "concluded";
  }
  std::string complaint;
  for (const json& one : TRY(qmp_->execute("query-jobs")))
    if (one.value("id", "") == job) complaint = one.value("error", "");
  TRY(qmp_->execute("job-dismiss", {{"id", job}}));
  if (!complaint.empty()) return failure(ErrorKind::System, fmt::format("QEMU: {}: {}", command, complaint));
  return {};
}

Result<bool> ReplayMachine::save_state(const std::string& name) {
  if (TRY(disk_requests(*qmp_, recording_.machine)) != 0) return false;
  TRY_VOID(run_job("snapshot-save", {{"tag", name}, {"vmstate", kRecordedDiskNode}}));
  return true;
}

Result<void> ReplayMachine::load_state(const std::string& name) {
  // A device waits for its requests when it is reset, whose ends are in the log, and one whose guest has ended does not
  // go on, whatever it loads: another QEMU then.
  if (position_ >= recording_.instructions || TRY(disk_requests(*qmp_, recording_.machine)) != 0) TRY_VOID(restart());
  TRY_VOID(run_job("snapshot-load", {{"tag", name}, {"vmstate", kRecordedDiskNode}}));
  position_ = TRY(instruction_count(*qmp_));
  why_.clear();
  return {};
}

Result<void> ReplayMachine::delete_state(const std::string& name) {
  return run_job("snapshot-delete", {{"tag", name}});
}

}  // namespace mortem::tools
