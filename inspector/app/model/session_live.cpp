// What a session does with a live guest. Everything runs in the analysis lane, one thing after the other.
#include <fmt/format.h>

#include "inspector/app/model/analysis.h"
#include "inspector/app/model/live_control.h"
#include "inspector/app/model/session.h"

namespace mortem::inspector::app {

bool Session::live() const {
  const std::lock_guard lock(mutex_);
  return live_ != nullptr && phase_ != Phase::Ended;
}

// The guest as it is now, for everybody.
Result<void> Session::take_state(std::unique_ptr<snapshot::CoreFile> core) {
  auto now = TRY(OpenState::from(std::move(core)));
  {
    const std::lock_guard lock(mutex_);
    before_.push_back(std::exchange(state_, std::move(now)));
  }
  questions_->outdate();
  return {};
}

void Session::control(std::string title, std::function<Result<void>(LiveControl&)> work) {
  std::shared_ptr<LiveControl> live;
  {
    const std::lock_guard lock(mutex_);
    live = live_;
  }
  if (!live || phase() == Phase::Ended) {
    jobs_->report(std::move(title), "this is no running guest: a dump cannot be run or changed");
    return;
  }
  questions_->run(Lane::Analysis, [this, live, title = std::move(title), work = std::move(work)] {
    std::optional<Result<void>> result;
    if (const auto crash = contained_call([&] { result.emplace(work(*live)); })) {
      handle_crash(Lane::Analysis, *crash);
      result = failure(ErrorKind::Unavailable, "the analysis crashed on the way");
    }
    if (!*result) jobs_->report(title, result->error().message);
  });
}

Result<void> Session::run(LiveControl& live, const std::function<Result<std::string>(LiveControl&)>& motion) {
  changes_since_stop_.leave_stop(state());
  auto stop = motion(live);
  if (live.runs_backwards()) (void)live.look_at_time();
  const bool ended = stop && stop->empty();
  {
    const std::lock_guard lock(mutex_);
    phase_ = ended ? Phase::Ended : Phase::Stopped;
    stop_text_ = stop ? *stop : "";
    ++stop_count_;
    if (ended) problem_ = live.ended();
  }
  questions_->hold(ended);  // nobody is there any more who could be asked
  setup_.wake();
  if (!stop) return tl::unexpected(std::move(stop.error()));
  return {};
}

void Session::move(Motion motion, uint32_t thread, Direction direction) {
  start([=](LiveControl& live) { return live.move(motion, thread, direction); });
}

void Session::go(const std::string& place) {
  start([=](LiveControl& live) { return live.go(place); });
}

void Session::start(std::function<Result<std::string>(LiveControl&)> motion) {
  {
    const std::lock_guard lock(mutex_);
    if (live_ && phase_ != Phase::Stopped) return;
    if (live_) {
      phase_ = Phase::Running;
      live_->begin_motion();  // an interrupt from now on counts, though the lane has not begun yet
    }
  }
  if (live()) questions_->hold(true);
  control("run", [this, motion = std::move(motion)](LiveControl& live) { return run(live, motion); });
}

bool Session::runs_backwards() const {
  const std::lock_guard lock(mutex_);
  return live_ && live_->runs_backwards();
}

TimeFacts Session::time() const {
  const std::lock_guard lock(mutex_);
  return live_ ? live_->time() : TimeFacts();
}

void Session::mark_time(const std::string& name) {
  control("name this moment", [=](LiveControl& live) { return live.mark(name); });
}

void Session::interrupt() {
  const std::lock_guard lock(mutex_);
  if (live_ && phase_ == Phase::Running) live_->interrupt();
}

std::string Session::stop_text() const {
  const std::lock_guard lock(mutex_);
  return stop_text_;
}

uint32_t Session::stopped_thread() const {
  const std::lock_guard lock(mutex_);
  return live_ ? live_->stopped_thread() : 0;
}

uint64_t Session::stop_count() const {
  const std::lock_guard lock(mutex_);
  return stop_count_;
}

std::vector<BreakpointFacts> Session::breakpoints() const {
  const std::lock_guard lock(mutex_);
  return live_ ? live_->breakpoints() : std::vector<BreakpointFacts>();
}

void Session::add_breakpoint(const std::string& where, const std::string& condition) {
  control("breakpoint at " + where, [=](LiveControl& live) { return live.add_breakpoint(where, condition); });
}

void Session::add_watchpoint(const std::string& expression, uint32_t thread, size_t frame) {
  control("watch " + expression, [=](LiveControl& live) { return live.add_watchpoint(expression, thread, frame); });
}

void Session::remove_breakpoint(uint32_t id) {
  control("remove a breakpoint",
          [=](LiveControl& live) -> Result<void> { return live.remove_breakpoint(id), Result<void>(); });
}

void Session::enable_breakpoint(uint32_t id, bool enabled) {
  control("enable a breakpoint",
          [=](LiveControl& live) -> Result<void> { return live.enable_breakpoint(id, enabled), Result<void>(); });
}

void Session::set_condition(uint32_t id, const std::string& condition) {
  control("set a condition",
          [=](LiveControl& live) -> Result<void> { return live.set_condition(id, condition), Result<void>(); });
}

void Session::assign(const std::string& expression, const std::string& value, uint32_t thread, size_t frame) {
  control(fmt::format("set {} to {}", expression, value),
          [=](LiveControl& live) { return live.assign(expression, value, thread, frame); });
}

void Session::assign(ValueHandle to, const std::string& name, const std::string& value, uint32_t thread, size_t frame) {
  control(fmt::format("set {} to {}", name, value),
          [=](LiveControl& live) { return live.assign(to, name, value, thread, frame); });
}

Result<void> Session::write_dump(const JobControl& job) {
  struct Meeting {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Result<std::string>> said;
  };
  auto meeting = std::make_shared<Meeting>();
  if (!live()) return failure(ErrorKind::Unavailable, "this is no running guest");
  control("dump", [=, this](LiveControl& live) -> Result<void> {
    auto said = live.guest().write_dump();
    const bool is_written = said && said->find("is being written") != std::string::npos;
    if (said && !is_written) said = failure(ErrorKind::Unavailable, fmt::format("no dump: the guest says {}", *said));
    if (is_written) {
      {
        const std::lock_guard lock(mutex_);
        phase_ = Phase::Ended;
        problem_ = "the guest wrote a dump of this moment, which ended the connection";
        ++stop_count_;
      }
      questions_->hold(true);
    }
    const std::lock_guard lock(meeting->mutex);
    meeting->said = std::move(said);
    meeting->done.notify_all();
    return {};
  });
  std::unique_lock lock(meeting->mutex);
  while (!meeting->said) {
    if (job.cancelled()) return failure(ErrorKind::System, "cancelled");
    meeting->done.wait_for(lock, std::chrono::milliseconds(50));
  }
  if (!*meeting->said) return tl::unexpected(meeting->said->error());
  return {};
}

uint64_t Session::call(const std::string& expression, uint32_t thread, size_t frame) {
  struct Meeting {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Result<uint64_t>> result;
  };
  auto meeting = std::make_shared<Meeting>();
  control("call " + expression, [=](LiveControl& live) -> Result<void> {
    auto result = live.call(expression, thread, frame);
    const std::lock_guard lock(meeting->mutex);
    meeting->result = std::move(result);
    meeting->done.notify_all();
    return {};
  });
  return jobs_->start("call " + expression, [=, this](JobControl& job) -> Result<void> {
    std::unique_lock lock(meeting->mutex);
    while (!meeting->result) {
      if (job.cancelled()) {
        const std::lock_guard own(mutex_);
        if (live_) live_->interrupt();
      }
      if (!live()) return failure(ErrorKind::Unavailable, "this is no running guest");
      meeting->done.wait_for(lock, std::chrono::milliseconds(50));
    }
    if (!*meeting->result) return tl::unexpected(meeting->result->error());
    job.tell(fmt::format("{} = {:#x}", expression, **meeting->result));
    return {};
  });
}

}  // namespace mortem::inspector::app
