#include "tools/qemu/live_clone.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>

#include "tools/qemu/clone_disks.h"
#include "tools/qemu/instance.h"
#include "tools/qemu/processor_time.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kMoreTries = 3;

int64_t now_us() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

class Taking {
 public:
  Taking(const LiveCloneRequest& request, Qmp& qmp, const CloneOriginal& original, MigrationPipe& background)
      : request_(request), qmp_(qmp), original_(original), background_(background) {}

  Result<LiveClone> run(const std::string& version) {
    const int64_t start = now_us();
    const ProcessorTime processor = ProcessorTime::begin(qmp_);
    clone_.was_running = original_.was_running;
    clone_.qemu_version = version;
    memory_ = TRY(new_file(kCloneMemoryFile));
    state_ = TRY(new_file(kCloneStateFile));
    disks_ = TRY(prepare_disks(qmp_, original_.drives, request_.folder));
    TRY_VOID(copy(*original_.settings));
    original_.settings->restore(qmp_);
    TRY_VOID(finish_disks(qmp_, disks_, request_.go_on, [this](uint64_t done) { tell(memory_bytes_ + done); }));
    clone_.processor_share = processor.share();
    for (const ClonedDisk& disk : disks_) clone_.disks.push_back({disk.drive.name, disk.name, disk.drive.size});
    for (const Descriptor* file : {&memory_, &state_})
      if (fdatasync(file->get()) != 0) return system_failure("cannot write", request_.folder);
    clone_.seconds = double(now_us() - start) / 1e6;
    return std::move(clone_);
  }

  bool is_in_background() const { return is_in_background_; }

 private:
  Result<Descriptor> new_file(const char* name) const {
    Descriptor file(open((request_.folder / name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return system_failure("cannot write", request_.folder / name);
    return file;
  }

  void tell(uint64_t done) {
    uint64_t all = memory_bytes_;
    for (const GuestDrive& drive : original_.drives) all += drive.size;
    told_ = std::max(told_, std::min(done, all));  // a round of a pre-copy begins with more to do
    if (request_.progress) request_.progress(told_, all);
  }

  // The methods in their order, each step down told with its cost.
  Result<void> copy(const MigrationSettings& settings) {
    std::string last = "no method was tried";
    for (const CloneMethod method : request_.methods) {
      clone_.method = method;
      // A guest that stands still anyway needs no care.
      if (!clone_.was_running && method != CloneMethod::Stop && request_.methods.size() > 1) continue;
      auto set = settings.set(qmp_, method);
      if (set && method == CloneMethod::PreCopy) set = see_all_writes();
      if (!set) {
        const bool hangs = set.error().kind == ErrorKind::Unavailable;  // no other method would help
        if (method == CloneMethod::Stop || hangs) return set;
        request_.say(fmt::format("{} is not to be had ({})", clone_method_name(method), set.error().message));
        last = set.error().message;
        continue;
      }
      if (method == CloneMethod::Stop)
        if (clone_.was_running)
          request_.say(
              "stop-and-copy: the guest stands still while all of its memory is copied, half a second and "
              "more for each GiB");
      auto end = copy_by(method);
      for (int left = kMoreTries; end && *end == MigrationEnd::MissesWrites && left > 0; --left) {
        TRY_VOID(start_files_again());
        TRY_VOID(settings.set(qmp_, method));  // it may have gone at full speed at last
        const auto sees = see_all_writes();
        if (!sees && sees.error().kind != ErrorKind::Unsupported) return sees;
        end = sees ? copy_by(method) : MigrationEnd::GuestIsSilent;
      }
      if (!end && (method != CloneMethod::Background || is_in_background_ || !request_.go_on()))
        return tl::unexpected(end.error());
      if (end && *end == MigrationEnd::Done) return {};
      if (!end)
        last = end.error().message;
      else if (*end == MigrationEnd::MissesWrites)
        last = "the guest's kernel answers too late";
      else if (*end == MigrationEnd::GuestIsSilent)
        last = "the guest's kernel answers no more";
      else
        last = fmt::format("the guest writes its memory faster than it can be copied: no end in {:.0f} s",
                           request_.patience_seconds);
      request_.say(fmt::format("{}: {}", clone_method_name(method), last));
      if (!end) TRY_VOID(start_disks_again());
      TRY_VOID(start_files_again());
    }
    return failure(ErrorKind::Unavailable, last);
  }

  Result<void> see_all_writes() {
    unseen_.reset();
    if (!clone_.was_running || TRY(sees_all_writes(qmp_))) return {};
    if (request_.instance.empty())
      return failure(ErrorKind::Unsupported,
                     "under TCG, QEMU before 9.0 misses some of what this guest writes meanwhile");
    const json memory = TRY(qmp_.execute("query-memory-size-summary"));
    auto unseen = UnseenWrites::watch(TRY(connect_to(request_.instance, "control")),
                                      memory.value("base-memory", uint64_t{0}), kPreCopyNearBytes);
    if (!unseen) {
      TRY(qmp_.execute("query-status"));  // else it is QEMU that hangs
      return tl::unexpected(unseen.error());
    }
    unseen_ = std::move(*unseen);
    return {};
  }

  // Their copies had begun.
  Result<void> start_disks_again() {
    TRY_VOID(undo_clone(qmp_, original_));
    std::error_code ignored;
    for (const ClonedDisk& disk : disks_) fs::remove(request_.folder / disk.name, ignored);
    disks_ = TRY(prepare_disks(qmp_, original_.drives, request_.folder));
    return {};
  }

  Result<void> start_files_again() const {
    for (const Descriptor* file : {&memory_, &state_})
      if (ftruncate(file->get(), 0) != 0 || lseek(file->get(), 0, SEEK_SET) != 0)
        return system_failure("cannot write", request_.folder);
    return {};
  }

  Result<MigrationEnd> copy_by(CloneMethod method) {
    MigrationRequest migration;
    migration.method = method;
    migration.patience_seconds = request_.patience_seconds;
    migration.memory = memory_.get();
    migration.state = state_.get();
    migration.unseen = method == CloneMethod::PreCopy ? unseen_.get() : nullptr;
    migration.go_on = request_.go_on;
    migration.progress = [this](uint64_t left, uint64_t all) {
      memory_bytes_ = all;
      tell(left < all ? all - left : 0);
    };
    migration.in_pause = [this, method] { return method == CloneMethod::Background ? Result<void>() : in_pause(); };
    MigrationOutcome outcome;
    if (method != CloneMethod::PreCopy && clone_.was_running) TRY_VOID(stand_still());
    if (method == CloneMethod::Background) TRY_VOID(disks_begin(false));
    const bool is_background = method == CloneMethod::Background;
    MigrationPipe pipe = is_background ? std::move(background_) : TRY(MigrationPipe::create());
    auto run = run_migration(qmp_, migration, std::move(pipe), outcome);
    is_in_background_ = is_background && outcome.began && !run;
    const MigrationEnd end = TRY(run);
    if (end == MigrationEnd::MissesWrites)
      stop_before_us_ = std::max(stop_before_us_, now_us() - outcome.stopped_at_us);
    if (outcome.stopped_at_us != 0) stopped_at_us_ = outcome.stopped_at_us;
    resumed_at_us_ = outcome.resumed_at_us;
    clone_.state = outcome.state;
    clone_.moment_us = stopped_at_us_ != 0 ? stopped_at_us_ : now_us();
    if (end == MigrationEnd::Done && clone_.was_running) TRY_VOID(find_resume());
    return end;
  }

  Result<void> stand_still() {
    TRY(qmp_.execute("stop"));
    stopped_at_us_ = now_us();
    return {};
  }

  // The guest stands still, its state is on the way to us in whole: the disks' copies begin, and it goes on. All that
  // is sent at once, so that nothing waits for us in between; it goes on whatever becomes of the disks.
  Result<void> in_pause() { return disks_begin(clone_.was_running); }

  Result<void> disks_begin(bool go_on) {
    TRY_VOID(begin_disks(qmp_, disks_));
    if (go_on) TRY_VOID(qmp_.send("cont"));
    auto begun = begun_disks(qmp_, disks_);
    if (go_on) TRY_VOID(went_on());
    return begun;
  }

  // On a busy machine QEMU's migration thread may not be at its end when all of the state has come: it refuses then.
  Result<void> went_on() {
    constexpr int kMostTimes = 5000;
    auto answer = qmp_.answer("cont");
    for (int times = 0; !answer && times < kMostTimes; ++times) {
      if (answer.error().message.find("not finalized") == std::string::npos) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      answer = qmp_.execute("cont");
    }
    TRY(answer);
    return {};
  }

  Result<void> find_resume() {
    for (int left = 100; left > 0 && resumed_at_us_ == 0; --left) {
      const auto event = TRY(qmp_.next_event(20));
      if (event && event->value("event", "") == "RESUME") resumed_at_us_ = event_time_us(*event);
    }
    if (resumed_at_us_ == 0) return failure(ErrorKind::System, "QEMU does not say that the guest goes on");
    clone_.stopped_ms = double(std::max(resumed_at_us_ - stopped_at_us_, stop_before_us_)) / 1000;
    return request_.go_on();
  }

  const LiveCloneRequest& request_;
  Qmp& qmp_;
  const CloneOriginal& original_;
  MigrationPipe& background_;
  LiveClone clone_;
  Descriptor memory_, state_;
  std::vector<ClonedDisk> disks_;
  std::unique_ptr<UnseenWrites> unseen_;
  int64_t stopped_at_us_ = 0, resumed_at_us_ = 0;
  int64_t stop_before_us_ = 0;  // the longest of attempts that were begun again, at most
  uint64_t memory_bytes_ = 0, told_ = 0;
  bool is_in_background_ = false;  // a background snapshot has begun, and broke off on our side
};

// The filters of its disks came with 7.0, their ways to break with 7.1.
Result<std::string> qemu_version_of(Qmp& qmp) {
  const json version = TRY(qmp.execute("query-version"));
  const json& numbers = version.at("qemu");
  const int major = numbers.value("major", 0), minor = numbers.value("minor", 0);
  std::string text = fmt::format("{}.{}.{}", major, minor, numbers.value("micro", 0));
  if (major < 7 || (major == 7 && minor < 1))
    return failure(ErrorKind::Unsupported, fmt::format("QEMU {} is too old to be cloned: 7.1 is needed", text));
  return text;
}

}  // namespace

Result<LiveClone> take_live_clone(const LiveCloneRequest& request) {
  try {
    Qmp qmp = TRY(request.connect());
    const json status = TRY(qmp.execute("query-status"));
    const bool was_running = status.value("running", false);
    const std::string text = status.value("status", "");
    if (!was_running && text != "paused" && text != "prelaunch")
      return failure(ErrorKind::Unavailable, fmt::format("QEMU's guest is in state {}: nothing to clone", text));
    // Of somebody else's guest: QEMU would end (clone_folder.cpp).
    if (const auto replay = qmp.execute("query-replay"); replay && replay->value("mode", "none") != "none")
      return failure(ErrorKind::Unsupported, replay->value("mode", "") == "record"
                                                 ? "the guest is being recorded: a clone would be its end"
                                                 : "a replay: to have it twice, copy the recording's folder");
    const std::string migration = TRY(qmp.execute("query-migrate")).value("status", "none");
    if (migration == "active" || migration == "setup" || migration == "cancelling")
      return failure(ErrorKind::Unavailable, "a migration or another clone of this guest is under way");
    const std::string version = TRY(qemu_version_of(qmp));
    const CloneOriginal original{was_running, TRY(guest_drives(qmp)), TRY(MigrationSettings::take(qmp))};
    MigrationPipe background = TRY(MigrationPipe::create());
    CloneGuard guard = TRY(CloneGuard::start(request.connect, original, request.folder, background));
    if (mkdir(request.folder.c_str(), 0700) != 0) {
      auto failed = system_failure("cannot make", request.folder);
      guard.dismiss();
      return failed;
    }
    Taking taking(request, qmp, original, background);
    auto clone = taking.run(version);
    if (clone)
      clone->guard = std::move(guard);
    else if (!taking.is_in_background() && undo_clone(qmp, original))
      guard.dismiss();
    // Else the guard sees to it: a background snapshot has to be read to its end, or the connection is broken and a new
    // one is what it tries.
    return clone;
  } catch (const json::exception&) {
    return failure(ErrorKind::System, "QEMU sent something that is not QMP as we know it");
  }
}

}  // namespace mortem::tools
