#include "tools/qemu/clock_watch.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace mortem::tools {

using format::ControlType;

namespace {

constexpr int64_t kPartMicroseconds = 25'000;

int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ClockWatch::ClockWatch(const std::optional<RunningInstance>& instance) {
  if (!instance) return;
  auto control = connect_to(instance->folder, "control");
  if (!control) return;
  control_ = std::move(*control);
  if (!begin_part()) control_.reset();
}

bool ClockWatch::begin_part() {
  began_us_ = now_us();
  return write_all(control_.get(), encode({ControlType::WatchClock, {}}), "control").has_value();
}

void ClockWatch::look() {
  if (!control_) return;
  take_reports(0);
  const int64_t now = now_us();
  if (!control_ || now < began_us_ + kPartMicroseconds) return;
  parts_.push_back({began_us_, INT64_MAX, {}});
  if (!write_all(control_.get(), encode({ControlType::WatchClockEnd, {}}), "control") || !begin_part())
    control_.reset();
}

bool ClockWatch::end() {
  constexpr int kPatienceMilliseconds = 2000;
  if (!control_) return false;
  parts_.push_back({began_us_, INT64_MAX, {}});
  if (!write_all(control_.get(), encode({ControlType::WatchClockEnd, {}}), "control")) return false;
  while (control_ && !has_all()) take_reports(kPatienceMilliseconds);
  return has_all();
}

// The socket is closed when nothing more can come, or nothing came in time.
void ClockWatch::take_reports(int wait_ms) {
  pollfd wait{control_.get(), POLLIN, 0};
  if (poll(&wait, 1, wait_ms) <= 0) {
    if (wait_ms > 0) control_.reset();
    return;
  }
  char part[8192];
  const ssize_t got = read(control_.get(), part, sizeof part);
  if (got <= 0) return control_.reset();
  decoder_.add({part, size_t(got)});
  for (auto message = decoder_.next(); message && *message; message = decoder_.next()) {
    format::ControlClockReport report;
    if ((*message)->type != ControlType::ClockReport || (*message)->payload.size() < sizeof report || has_all())
      continue;
    std::memcpy(&report, (*message)->payload.data(), sizeof report);
    parts_[reports_].reported_us = now_us();
    parts_[reports_++].gap_ms = double(report.largest_gap_ns) / 1e6;
  }
}

double ClockWatch::longest_gap(int64_t from_us, int64_t to_us) const {
  double longest = 0;
  for (const Part& part : parts_)
    if (part.reported_us >= from_us && part.told_us <= to_us) longest = std::max(longest, part.gap_ms.value_or(0));
  return longest;
}

}  // namespace mortem::tools
