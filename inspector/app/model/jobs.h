// Everything that takes long: each job in a thread of its own, with progress, a way to cancel it, and its error kept.
// Errors that belong to no job stand in the same list, and so are shown in one place.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "snapshot/progress.h"
#include "snapshot/result.h"

namespace mortem::inspector::app {

enum class JobState : uint8_t { Running, Done, Failed, Cancelled };
const char* job_state_text(JobState state);

struct JobFacts {
  uint64_t id = 0;  // rises with time
  std::string title;
  JobState state = JobState::Running;
  bool notice = false;             // no work, but something to be told
  std::optional<double> progress;  // 0 to 1; nothing: not known
  std::string text;                // an error's sentence, or what came of it
};

// What the work is given.
class JobControl {
 public:
  bool cancelled() const { return cancelled_; }
  void progress(uint64_t done, uint64_t total);
  snapshot::Progress progress_function();  // tells of cancelling, too
  void tell(std::string text);             // what came of it so far

 private:
  friend class Jobs;
  JobControl(std::function<void(JobControl&)> changed) : changed_(std::move(changed)) {}
  std::function<void(JobControl&)> changed_;
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  std::optional<double> progress_;
  std::string text_;
};

class Jobs {
 public:
  explicit Jobs(std::function<void()> wake) : wake_(std::move(wake)) {}
  ~Jobs();  // cancels what runs, and waits for its end

  uint64_t start(std::string title, std::function<Result<void>(JobControl&)> work);
  void cancel(uint64_t id);
  void report(std::string title, std::string text);  // an error without a job
  std::vector<JobFacts> list() const;                // the newest last
  std::optional<JobFacts> find(uint64_t id) const;
  void clear_ended();
  bool any_running() const;

 private:
  struct Job {
    JobFacts facts;
    std::shared_ptr<JobControl> control;
    std::thread thread;
    bool over = false;  // its thread is about to end
  };
  void run(uint64_t id, const std::shared_ptr<JobControl>& control,
           const std::function<Result<void>(JobControl&)>& work);
  static JobFacts facts_of(const Job& job);
  void forget_old_ones();

  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  uint64_t last_id_ = 0;
  std::vector<std::unique_ptr<Job>> jobs_;
};

}  // namespace mortem::inspector::app
