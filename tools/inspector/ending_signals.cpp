#include "tools/inspector/ending_signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

namespace mortem::tools {
namespace {

constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP};
constexpr char kNobody = 'n', kSignal = 's';
int signal_pipe = -1;  // where the handler writes

// A second signal ends the program at once, should it hang.
void note_signal(int number) {
  const int kept = errno;
  (void)!write(signal_pipe, &kSignal, 1);
  std::signal(number, SIG_DFL);
  errno = kept;
}

}  // namespace

struct EndingSignals::State {
  int ends[2] = {-1, -1};
  std::thread waiter;
};

EndingSignals::EndingSignals(std::function<void()> end) : state_(new State) {
  if (pipe2(state_->ends, O_CLOEXEC) != 0) return;
  signal_pipe = state_->ends[1];
  state_->waiter = std::thread([from = state_->ends[0], end = std::move(end)] {
    char what = kNobody;
    while (read(from, &what, 1) < 0 && errno == EINTR) {
    }
    if (what == kSignal) end();
  });
  for (const int number : kSignals) std::signal(number, note_signal);
}

EndingSignals::~EndingSignals() {
  for (const int number : kSignals) std::signal(number, SIG_DFL);
  if (state_->waiter.joinable()) {
    (void)!write(state_->ends[1], &kNobody, 1);
    state_->waiter.join();
  }
  for (const int one : state_->ends)
    if (one >= 0) close(one);
  delete state_;
}

}  // namespace mortem::tools
