#include "tools/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "tools/interrupt.h"
#include "tools/output.h"

namespace mortem::tools {

namespace {

using Clock = std::chrono::steady_clock;

// Takes the bar off the line again when the last copy of the callback goes.
struct Bar {
  std::string what;
  Clock::time_point start = Clock::now(), drawn{};
  bool visible = false;
  ~Bar() {
    if (visible) write_stderr("\r\033[K");
  }
  void update(uint64_t done, uint64_t total) {
    const auto now = Clock::now();
    if (now - start < std::chrono::seconds(1) || now - drawn < std::chrono::milliseconds(100)) return;
    drawn = now;
    visible = true;
    const double part = total ? std::min(1.0, double(done) / double(total)) : 0;
    constexpr size_t kWidth = 30;
    const size_t filled = size_t(part * kWidth);
    write_stderr(fmt::format("\r{} [{}{}] {:3.0f}% of {}\033[K", what, std::string(filled, '='),
                             std::string(kWidth - filled, ' '), part * 100, human_size(total)));
  }
};

}  // namespace

snapshot::Progress progress_bar(std::string what) {
  auto bar = std::make_shared<Bar>();
  bar->what = std::move(what);
  const bool terminal = isatty(STDERR_FILENO);
  return [bar, terminal](uint64_t done, uint64_t total) {
    if (terminal) bar->update(done, total);
    return interrupted_by() ? snapshot::ProgressAnswer::Cancel : snapshot::ProgressAnswer::GoOn;
  };
}

}  // namespace mortem::tools
