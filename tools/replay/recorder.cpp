#include "tools/replay/recorder.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sstream>

#include "snapshot/format/guest_description.h"
#include "snapshot/little_endian.h"
#include "snapshot/xxhash64.h"
#include "tools/folder_check.h"
#include "tools/module_files.h"
#include "tools/output.h"
#include "tools/replay/recorded_moment.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

constexpr int kRecorderMilliseconds = 20'000;
constexpr std::chrono::milliseconds kLongestRequest{100};  // within the second for which the guest stands still
// 4 ns an instruction: 250 million a second, about what TCG does, so that the guest's time is near the host's.
constexpr unsigned kRecordingShift = 2;

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<std::string> processor_text(Qmp& qmp) {
  const auto said = TRY(qmp.execute("human-monitor-command", {{"command-line", "info registers"}}));
  if (!said.is_string()) return failure(ErrorKind::System, "QEMU does not tell the processor's registers");
  std::istringstream lines(said.get<std::string>());
  std::string text, line;
  while (std::getline(lines, line)) {
    // How QEMU keeps the flags while it translates, and whether the processor sleeps: not the guest's business.
    if (line.find("CCS=") != std::string::npos || line.find("CPU#") != std::string::npos) continue;
    text += line.substr(0, line.find(" HLT=")) + "\n";
  }
  return text;
}

Result<uint64_t> instruction_count(Qmp& qmp) {
  const auto said = TRY(qmp.execute("query-replay"));
  if (!said.is_object() || !said.contains("icount"))
    return failure(ErrorKind::System, "QEMU does not count instructions");
  return said.value("icount", uint64_t{0});
}

Result<uint64_t> disk_requests(Qmp& qmp, const Machine& machine) {
  if (!machine.image) return 0;
  const auto queue = TRY(
      qmp.execute("x-query-virtio-queue-status", {{"path", "/machine/peripheral/blk/virtio-backend"}, {"queue", 0}}));
  if (!queue.is_object() || !queue.contains("inuse"))
    return failure(ErrorKind::System, "QEMU does not tell what its disk does");
  return queue.value("inuse", uint64_t{0});
}

Result<RecordingCheck> check_of(Qmp& qmp, const Machine& machine, GuestRam& ram) {
  RecordingCheck check;
  check.instructions = TRY(instruction_count(qmp));
  const std::string text = TRY(processor_text(qmp));
  check.registers = snapshot::xxhash64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  check.memory = ram.checksum();
  check.requests = TRY(disk_requests(qmp, machine));
  return check;
}

Result<void> Recorder::prepare(Machine& machine) {
  ram_ = TRY(GuestRam::create(machine.memory));
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_failure("cannot make", "a socket");
  ours_ = Descriptor(ends[0]);
  theirs_ = Descriptor(ends[1]);
  RecordedExecution& recorded = machine.recorded;
  recorded.mode = Determinism::Record;
  std::error_code ignored;
  recorded.log = fs::absolute(folder_ / kRecordingLog, ignored);
  recorded.shift = kRecordingShift;
  const time_t now = std::time(nullptr);
  tm broken{};
  gmtime_r(&now, &broken);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &broken);
  recorded.start_time = text;
  recorded.memory = ram_->descriptor();
  if (!machine.memory_file.empty()) TRY_VOID(ram_->load(machine.memory_file));
  recorded.keeper = theirs_.get();
  inherited_ = {recorded.memory, recorded.keeper};
  machine.kernel_arguments += " control=serial idle=halt";
  recording_.machine = machine;
  recording_.started = now;
  recording_.seconds = monotonic_seconds();
  return write_recording(folder_, recording_);
}

Result<void> Recorder::connect() {
  theirs_.reset();
  qmp_ = TRY(Qmp::over(std::move(ours_), kRecorderMilliseconds));
  has_begun_ = true;
  return {};
}

void Recorder::begin_checks(std::function<void(format::ControlType)> tell_guest) {
  tell_guest_ = std::move(tell_guest);
  next_check_ = Clock::now() + check_distance_;
}

void Recorder::discard() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

int Recorder::milliseconds_until_check() const {
  if (!next_check_) return -1;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*next_check_ - Clock::now());
  return int(std::max<int64_t>(0, left.count() + 1));
}

bool Recorder::serve() {
  if (next_check_ && Clock::now() >= *next_check_) {
    next_check_.reset();
    tell_guest_(format::ControlType::HoldStill);
  }
  while (qmp_ && !finished_) {
    auto event = qmp_->next_event(0);
    if (!event) qmp_.reset();  // QEMU has gone
    if (!event || !*event) return false;
    if ((*event)->value("event", "") == "SHUTDOWN") return true;
  }
  return false;
}

// QEMU is stopped only while the guest computes. One that sleeps until a timer is not stopped by chance at its moment:
// QEMU 7.2 forgets the time slept then, which the log does not tell (icount_warp_rt in softmmu/icount.c), and the
// replay goes another way or stands still.
void Recorder::check() {
  if (!qmp_ || finished_) return;
  (void)add_check();
  tell_guest_(format::ControlType::LetGo);
  check_distance_ *= 2;
  next_check_ = Clock::now() + check_distance_;
}

Result<void> Recorder::add_check() {
  // What is read from the disk comes into the memory at any time before its request ends.
  for (const auto end = Clock::now() + kLongestRequest; TRY(disk_requests(*qmp_, recording_.machine)) != 0;)
    if (Clock::now() >= end) return {};
  TRY(qmp_->execute("stop"));
  auto check = check_of(*qmp_, recording_.machine, *ram_);
  look_at_modules();
  TRY(qmp_->execute("cont"));
  recording_.checks.push_back(TRY(std::move(check)));
  recording_.checks.back().held = true;
  return {};
}

// What the guest's description block says of them needs no more of the processor than its page table.
void Recorder::look_at_modules() {
  const auto text = processor_text(*qmp_);
  const size_t at = text ? text->find("CR3=") : std::string::npos;
  if (at == std::string::npos) return;
  snapshot::CpuState processor;
  processor.registers.cr3 = std::strtoull(text->c_str() + at + 4, nullptr, 16);
  const auto core = open_recorded_moment(recording_, *ram_, processor);
  if (!core) return;
  for (const snapshot::CoreModule& module : (*core)->modules()) modules_.try_emplace(module.id, module);
}

Result<void> Recorder::finish() {
  if (!qmp_) return failure(ErrorKind::System, folder_.string() + ": its QEMU has gone");
  if (finished_) return {};
  finished_ = true;
  next_check_.reset();
  TRY(qmp_->execute("stop"));
  recording_.checks.push_back(TRY(check_of(*qmp_, recording_.machine, *ram_)));
  recording_.instructions = recording_.checks.back().instructions;
  look_at_modules();
  format::GuestDescription block;
  TRY_VOID(ram_->read(format::kGuestDescriptionAddress, snapshot::writable_bytes_of(block)));
  if (std::memcmp(block.magic, format::kGuestDescriptionMagic, sizeof block.magic) == 0)
    recording_.kernel_base = block.kernel_virtual_base;
  (void)qmp_->execute("quit");  // it may be gone before it answers
  return {};
}

Result<void> Recorder::complete(const std::string& end) {
  if (!finished_)
    return failure(ErrorKind::System,
                   fmt::format("{}: its QEMU ended too early: the recording cannot be used", folder_.string()));
  std::error_code error;
  recording_.log_bytes = fs::file_size(folder_ / kRecordingLog, error);
  if (error) return failure(ErrorKind::System, fmt::format("{}: QEMU wrote no log", folder_.string()));
  recording_.seconds = monotonic_seconds() - recording_.seconds;
  recording_.end = end.empty() ? "unknown" : end;
  std::vector<snapshot::CoreModule> modules;
  for (const auto& [id, module] : modules_) modules.push_back(module);
  if (auto kept = keep_module_files(modules, where_, folder_); !kept)
    note(fmt::format("{}: the files of its modules are not all in it: {}", folder_.string(), kept.error().message));
  if (auto checksums = write_checksums(folder_, kRecordingFile))
    recording_.checksums = *checksums;
  else
    note(fmt::format("{}: has no checksums: {}", folder_.string(), checksums.error().message));
  return write_recording(folder_, recording_);
}

}  // namespace mortem::tools
