#include "tools/qemu/clock_watch.h"

#include <poll.h>
#include <unistd.h>

#include <cstring>

#include "tools/qemu/control_channel.h"

namespace mortem::tools {

using format::ControlType;

ClockWatch::ClockWatch(const std::optional<RunningInstance>& instance) {
  if (!instance) return;
  auto control = connect_to(instance->folder, "control");
  if (control && write_all(control->get(), encode({ControlType::WatchClock, {}}), "control"))
    control_ = std::move(*control);
}

std::optional<double> ClockWatch::end() {
  constexpr int kPatienceMilliseconds = 2000;
  if (!control_ || !write_all(control_.get(), encode({ControlType::WatchClockEnd, {}}), "control")) return std::nullopt;
  ControlDecoder decoder;
  while (true) {
    pollfd wait{control_.get(), POLLIN, 0};
    if (poll(&wait, 1, kPatienceMilliseconds) <= 0) return std::nullopt;
    char part[8192];
    const ssize_t got = read(control_.get(), part, sizeof part);
    if (got <= 0) return std::nullopt;
    decoder.add({part, size_t(got)});
    for (auto message = decoder.next(); message && *message; message = decoder.next()) {
      format::ControlClockReport report;
      if ((*message)->type != ControlType::ClockReport || (*message)->payload.size() < sizeof report) continue;
      std::memcpy(&report, (*message)->payload.data(), sizeof report);
      return double(report.largest_gap_ns) / 1e6;
    }
  }
}

}  // namespace mortem::tools
