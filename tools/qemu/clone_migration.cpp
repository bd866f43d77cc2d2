#include "tools/qemu/clone_migration.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "tools/qemu/machine.h"

namespace mortem::tools {

using nlohmann::json;

namespace {

// How long what is left may take to go over when QEMU stops the guest: at first, and of a guest that writes too much.
constexpr int kDowntimeMilliseconds = 8, kLongestDowntimeMilliseconds = 20;
constexpr int kPipeBytes = 1 << 20;
constexpr const char* kWaitsForUs = "pause-before-switchover";
constexpr double kLongestSilence = 5;  // seconds
constexpr double kLookSeconds = 0.1;   // between two looks at how far it is
// Of a pre-copy at first, bytes a second: at full speed the guest gets half of its processor's time and less on a host
// of two processors. 1 GiB shall be there after less than three seconds all the same. A guest whose third round
// does not end it gets the full speed.
constexpr uint64_t kGentleSpeed = 400'000'000;
constexpr uint64_t kGentleRounds = 3;
// QEMU looks when what is left would go over in the longest pause, at the speed that it measured (ram_save_pending).
static_assert(kPreCopyNearBytes >= 2 * kGentleSpeed * kDowntimeMilliseconds / 1000);

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The other end of the migration, in a thread of its own.
class Reception : snapshot::ReceptionListener {
 public:
  Reception(Descriptor from, const MigrationRequest& request)
      : from_(std::move(from)), unseen_(request.unseen), thread_([this, &request] {
          result_ = snapshot::receive_migration(from_.get(), request.memory, request.state, *this);
          ended_ = true;  // first: what QEMU says of a broken pipe is not the reason
          from_.reset();  // QEMU gets EPIPE then, and lets the guest go on
        }) {}
  ~Reception() {
    given_up_ = true;
    if (thread_.joinable()) thread_.join();
  }
  bool has_failed() const { return ended_ && !result_; }
  Result<snapshot::ReceivedState> take() {
    thread_.join();
    return std::move(result_);
  }

 private:
  Result<void> go_on() override {
    if (given_up_) return failure(ErrorKind::System, "given up");
    return {};
  }
  Result<void> nothing_comes() override {
    if (unseen_) unseen_->nothing_comes(from_.get());
    return {};
  }
  int wakes() const override { return unseen_ ? unseen_->wakes() : -1; }
  Result<void> page(const Page& page) override { return unseen_ ? unseen_->page(page, from_.get()) : Result<void>(); }
  Result<void> part_ended(uint64_t read) override {
    return unseen_ ? unseen_->part_ended(read, from_.get()) : Result<void>();
  }

  Descriptor from_;
  UnseenWrites* const unseen_;
  std::atomic<bool> given_up_ = false, ended_ = false;
  Result<snapshot::ReceivedState> result_ = failure(ErrorKind::System, "not received");
  std::thread thread_;
};

Result<json> migration_state(Qmp& qmp) {
  return qmp.execute("query-migrate");
}

// How far it is, and what that means for its speed.
class Watch {
 public:
  Watch(Qmp& qmp, const MigrationRequest& request) : qmp_(qmp), request_(request) {}

  Result<void> look() {
    if (seconds_since(looked_) < kLookSeconds) return {};
    const json state = TRY(migration_state(qmp_));
    looked_ = Clock::now();
    const json ram = state.value("ram", json::object());
    if (const uint64_t all = ram.value("total", uint64_t{0}); all != 0 && request_.progress)
      request_.progress(ram.value("remaining", uint64_t{0}), all);
    if (request_.method != CloneMethod::PreCopy || is_at_full_speed_) return {};
    if (ram.value("dirty-sync-count", uint64_t{0}) <= kGentleRounds) return {};
    is_at_full_speed_ = true;
    return qmp_
        .execute("migrate-set-parameters", {{"max-bandwidth", 0}, {"downtime-limit", kLongestDowntimeMilliseconds}})
        .map([](auto&&) {});
  }

 private:
  Qmp& qmp_;
  const MigrationRequest& request_;
  Clock::time_point looked_ = Clock::now();
  bool is_at_full_speed_ = false;
};

// Until a migration is at an end of some kind.
Result<void> cancel(Qmp& qmp) {
  TRY(qmp.execute("migrate_cancel"));
  for (int left = 1000; left > 0; --left) {
    const std::string status = TRY(migration_state(qmp)).value("status", "");
    if (status == "cancelled" || status == "failed" || status == "completed" || status == "none") return {};
    TRY(qmp.next_event(10));
  }
  return failure(ErrorKind::System, "QEMU does not cancel its migration");
}

// Of a reception that has failed.
Result<MigrationEnd> end_of(Reception& reception, const MigrationRequest& request) {
  if (request.unseen && request.unseen->has_lost_guest()) return MigrationEnd::GuestIsSilent;
  return tl::unexpected(reception.take().error());
}

// Nothing: it goes on.
Result<std::optional<MigrationEnd>> take_event(const json& event, Qmp& qmp, const MigrationRequest& request,
                                               Reception& reception, MigrationOutcome& outcome) {
  const std::string name = event.value("event", "");
  if (name == "STOP") outcome.stopped_at_us = event_time_us(event);
  if (name == "RESUME") outcome.resumed_at_us = event_time_us(event);
  if (name != "MIGRATION") return std::nullopt;
  const std::string status = event.value("data", json::object()).value("status", "");
  if (status == "completed") return MigrationEnd::Done;
  if (status == "pre-switchover") {
    if (request.unseen && !request.unseen->has_stopped_well()) {
      TRY_VOID(cancel(qmp));
      return MigrationEnd::MissesWrites;
    }
    TRY(qmp.execute("migrate-continue", {{"state", "pre-switchover"}}));
  }
  if (status != "failed") return std::nullopt;
  outcome.began = false;
  if (reception.has_failed()) return end_of(reception, request);
  const json state = TRY(migration_state(qmp));
  return failure(ErrorKind::System, fmt::format("QEMU's {} failed: {}", clone_method_name(request.method),
                                                state.value("error-desc", "it does not say why")));
}

}  // namespace

const char* clone_method_name(CloneMethod method) {
  switch (method) {
    case CloneMethod::PreCopy:
      return "pre-copy";
    case CloneMethod::Background:
      return "background-snapshot";
    case CloneMethod::Stop:
      return "stop-and-copy";
  }
  return "pre-copy";
}

Result<bool> sees_all_writes(Qmp& qmp) {
  constexpr int kFirstThatDoes = 9;
  const json kvm = TRY(qmp.execute("query-kvm"));
  const json version = TRY(qmp.execute("query-version"));
  if (kvm.value("enabled", false) || version.value("qemu", json::object()).value("major", 0) >= kFirstThatDoes)
    return true;
  // A memory that is no multiple of its groups is looked at page by page, rightly.
  constexpr uint64_t kGroup = 64 * 4096;
  const json memory = TRY(qmp.execute("query-memory-size-summary"));
  bool is_uneven = memory.value("base-memory", uint64_t{0}) % kGroup != 0;
  for (const json& one : TRY(qmp.execute("query-memdev")))
    is_uneven = is_uneven && one.value("size", uint64_t{0}) % kGroup != 0;
  return is_uneven;
}

Result<MigrationSettings> MigrationSettings::take(Qmp& qmp) {
  MigrationSettings settings;
  settings.capabilities_ = TRY(qmp.execute("query-migrate-capabilities"));
  settings.parameters_ = TRY(qmp.execute("query-migrate-parameters"));
  return settings;
}

Result<void> MigrationSettings::set(Qmp& qmp, CloneMethod method) const {
  // All forms of a stream that are not read here, and all that would slow the guest down. A pre-copy that is cancelled
  // in the instant in which it is about to stop the guest would leave the guest's disks inactive, and QEMU ends at its
  // next write to them (assertion in block/io.c; migration_completion in QEMU 7.2's migration/migration.c); where it
  // has to wait for us before that, QEMU sees that it was cancelled.
  json wanted = json::array();
  for (const json& one : capabilities_) {
    const std::string name = one.value("capability", "");
    const bool on = name == "events" || (name == "background-snapshot" && method == CloneMethod::Background) ||
                    (name == kWaitsForUs && method == CloneMethod::PreCopy);
    wanted.push_back({{"capability", name}, {"state", on}});
  }
  // Those to be switched off first: some exclude each other.
  std::stable_sort(wanted.begin(), wanted.end(),
                   [](const json& a, const json& b) { return a.value("state", false) < b.value("state", false); });
  TRY(qmp.execute("migrate-set-capabilities", {{"capabilities", wanted}}));
  TRY(qmp.execute("migrate-set-parameters", {{"downtime-limit", kDowntimeMilliseconds},
                                             {"max-bandwidth", method == CloneMethod::PreCopy ? kGentleSpeed : 0}}));
  return {};
}

void MigrationSettings::restore(Qmp& qmp) const {
  json wanted = json::array();
  for (const json& one : capabilities_) wanted.push_back(one);
  (void)qmp.execute("migrate-set-capabilities", {{"capabilities", wanted}});
  json parameters = json::object();
  for (const char* name : {"downtime-limit", "max-bandwidth"})
    if (parameters_.contains(name)) parameters[name] = parameters_[name];
  (void)qmp.execute("migrate-set-parameters", parameters);
}

Result<MigrationPipe> MigrationPipe::create() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make", "a pipe");
  fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);  // a QEMU that hangs must not hold us
  return MigrationPipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

Result<MigrationEnd> run_migration(Qmp& qmp, const MigrationRequest& request, MigrationPipe pipe,
                                   MigrationOutcome& outcome) {
  TRY(qmp.execute("getfd", {{"fdname", "mortem-clone"}}, pipe.to.get()));
  pipe.to.reset();
  while (TRY(qmp.next_event(0))) {  // of earlier times
  }
  Reception reception(std::move(pipe.from), request);
  const auto start = Clock::now();
  // QEMU 7.2 lifts the write protection of a background snapshot at its good end only: one that is cancelled, or whose
  // pipe breaks, leaves a guest that hangs at its next write.
  const bool can_cancel = request.method != CloneMethod::Background;
  TRY(qmp.execute("migrate", {{"uri", "fd:mortem-clone"}}));
  outcome.began = true;
  auto heard = Clock::now();
  Watch watch(qmp, request);
  while (true) {
    const auto event = TRY(qmp.next_event(20));
    if (event) {
      heard = Clock::now();
      const auto end = TRY(take_event(*event, qmp, request, reception, outcome));
      if (end == MigrationEnd::Done) break;
      if (end) return *end;
    }
    const bool stands = outcome.stopped_at_us != 0;
    if (stands && event) continue;
    if (auto go_on = request.go_on(); !go_on) {
      if (can_cancel) (void)cancel(qmp);
      return tl::unexpected(go_on.error());
    }
    if (reception.has_failed()) {
      auto end = end_of(reception, request);
      if (can_cancel) TRY_VOID(cancel(qmp));
      return end;
    }
    // In the pause nothing is asked that could be in its way, unless QEMU seems to hang.
    if (!stands || seconds_since(heard) > kLongestSilence) {
      TRY_VOID(watch.look());
      heard = Clock::now();
    }
    if (request.method == CloneMethod::PreCopy && !stands && seconds_since(start) > request.patience_seconds) {
      TRY_VOID(cancel(qmp));
      return MigrationEnd::NoConvergence;
    }
  }
  TRY_VOID(request.in_pause());
  outcome.state = TRY(reception.take());
  return MigrationEnd::Done;
}

}  // namespace mortem::tools
