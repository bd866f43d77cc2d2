// SIGTERM, SIGINT and SIGHUP end the window as its own button does: what is recorded and kept is written.
#pragma once

#include <functional>

namespace mortem::tools {

class EndingSignals {
 public:
  explicit EndingSignals(std::function<void()> end);  // called in a thread of its own, once
  ~EndingSignals();
  EndingSignals(const EndingSignals&) = delete;
  EndingSignals& operator=(const EndingSignals&) = delete;

 private:
  struct State;
  State* state_;
};

}  // namespace mortem::tools
