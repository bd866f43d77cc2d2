// What went wrong, as a sentence in a corner for a while. The drawer (view "jobs") keeps it.
#pragma once

#include <chrono>
#include <deque>
#include <string>

#include "inspector/app/model/jobs.h"

namespace mortem::inspector::app {

class Workspace;

class Toasts {
 public:
  // Looks for jobs that failed, and notices, since the last call.
  void collect(const Jobs& jobs, uint64_t& last_seen);
  void collect_all(Workspace& workspace);
  void draw(Workspace& workspace, float bottom);
  void forget_session() { last_of_session_ = 0; }

 private:
  struct Toast {
    std::string title, text;
    std::chrono::steady_clock::time_point since;
  };
  std::deque<Toast> toasts_;
  uint64_t last_of_workspace_ = 0, last_of_session_ = 0;
};

}  // namespace mortem::inspector::app
