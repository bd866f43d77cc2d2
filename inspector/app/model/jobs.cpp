#include "inspector/app/model/jobs.h"

#include <algorithm>

namespace mortem::inspector::app {
namespace {

constexpr size_t kMostKept = 200;  // ended jobs and notices

}  // namespace

const char* job_state_text(JobState state) {
  switch (state) {
    case JobState::Running:
      return "running";
    case JobState::Done:
      return "done";
    case JobState::Failed:
      return "failed";
    case JobState::Cancelled:
      return "cancelled";
  }
  return "unknown";
}

void JobControl::progress(uint64_t done, uint64_t total) {
  {
    const std::lock_guard lock(mutex_);
    const double now = total == 0 ? 0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    // A picture's worth of change.
    if (progress_ && now - *progress_ < 0.005 && now < 1) return;
    progress_ = now;
  }
  changed_(*this);
}

snapshot::Progress JobControl::progress_function() {
  return [this](uint64_t done, uint64_t total) {
    progress(done, total);
    return cancelled() ? snapshot::ProgressAnswer::Cancel : snapshot::ProgressAnswer::GoOn;
  };
}

void JobControl::tell(std::string text) {
  {
    const std::lock_guard lock(mutex_);
    text_ = std::move(text);
  }
  changed_(*this);
}

Jobs::~Jobs() {
  std::vector<std::unique_ptr<Job>> jobs;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& job : jobs_)
      if (job->control) job->control->cancelled_ = true;
    jobs.swap(jobs_);
  }
  for (const auto& job : jobs)
    if (job->thread.joinable()) job->thread.join();
}

uint64_t Jobs::start(std::string title, std::function<Result<void>(JobControl&)> work) {
  const std::lock_guard lock(mutex_);
  forget_old_ones();
  auto job = std::make_unique<Job>();
  job->facts.id = ++last_id_;
  job->facts.title = std::move(title);
  job->control.reset(new JobControl([this](JobControl&) { wake_(); }));
  job->thread =
      std::thread([this, id = last_id_, control = job->control, work = std::move(work)] { run(id, control, work); });
  jobs_.push_back(std::move(job));
  return last_id_;
}

void Jobs::run(uint64_t id, const std::shared_ptr<JobControl>& control,
               const std::function<Result<void>(JobControl&)>& work) {
  const Result<void> result = work(*control);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& job : jobs_) {
      if (job->facts.id != id) continue;
      job->facts = facts_of(*job);
      job->facts.state = control->cancelled() ? JobState::Cancelled : result ? JobState::Done : JobState::Failed;
      if (job->facts.state == JobState::Failed) job->facts.text = result.error().message;
      job->over = true;
    }
  }
  wake_();
}

void Jobs::cancel(uint64_t id) {
  const std::lock_guard lock(mutex_);
  for (const auto& job : jobs_)
    if (job->facts.id == id && job->control) job->control->cancelled_ = true;
}

void Jobs::report(std::string title, std::string text) {
  {
    const std::lock_guard lock(mutex_);
    forget_old_ones();
    auto job = std::make_unique<Job>();
    job->facts = {++last_id_, std::move(title), JobState::Failed, true, std::nullopt, std::move(text)};
    job->over = true;
    jobs_.push_back(std::move(job));
  }
  wake_();
}

JobFacts Jobs::facts_of(const Job& job) {
  JobFacts facts = job.facts;
  if (job.over || !job.control) return facts;
  const std::lock_guard lock(job.control->mutex_);
  facts.progress = job.control->progress_;
  facts.text = job.control->text_;
  return facts;
}

std::vector<JobFacts> Jobs::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<JobFacts> all;
  for (const auto& job : jobs_) all.push_back(facts_of(*job));
  return all;
}

std::optional<JobFacts> Jobs::find(uint64_t id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& job : jobs_)
    if (job->facts.id == id) return facts_of(*job);
  return std::nullopt;
}

void Jobs::clear_ended() {
  const std::lock_guard lock(mutex_);
  std::erase_if(jobs_, [](const auto& job) {
    if (job->over && job->thread.joinable()) job->thread.join();
    return job->over;
  });
}

void Jobs::forget_old_ones() {
  for (auto one = jobs_.begin(); jobs_.size() > kMostKept && one != jobs_.end();) {
    if (!(*one)->over) {
      ++one;
      continue;
    }
    if ((*one)->thread.joinable()) (*one)->thread.join();
    one = jobs_.erase(one);
  }
}

bool Jobs::any_running() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return !job->over; });
}

}  // namespace mortem::inspector::app
