#include "tools/qemu/processor_time.h"

#include <fmt/format.h>

#include <sstream>

#include "tools/files.h"

namespace mortem::tools {

using nlohmann::json;

// Linux' Documentation/scheduler/sched-stats.rst: time on a processor, time waiting for one, time slices.
std::optional<ProcessorTime::Times> ProcessorTime::of(const std::vector<int64_t>& threads) {
  Times sum;
  for (const int64_t thread : threads) {
    const auto name = read_text_file(fmt::format("/proc/{}/comm", thread), 256);
    const auto text = read_text_file(fmt::format("/proc/{}/schedstat", thread), 256);
    // Its number may be another's here: a QEMU in a container.
    if (!name || !text || !(name->starts_with("qemu") || name->starts_with("CPU "))) return std::nullopt;
    Times one;
    std::stringstream fields(*text);
    if (!(fields >> one.ran >> one.waited)) return std::nullopt;
    sum.ran += one.ran;
    sum.waited += one.waited;
  }
  if (threads.empty()) return std::nullopt;
  return sum;
}

ProcessorTime ProcessorTime::begin(Qmp& qmp) {
  ProcessorTime time;
  const auto processors = qmp.execute("query-cpus-fast");
  if (!processors || !processors->is_array()) return time;
  for (const json& one : *processors) time.threads_.push_back(one.value("thread-id", int64_t{0}));
  time.before_ = of(time.threads_);
  return time;
}

std::optional<double> ProcessorTime::share() const {
  const auto now = before_ ? of(threads_) : std::nullopt;
  if (!now) return std::nullopt;
  const double ran = double(now->ran - before_->ran), waited = double(now->waited - before_->waited);
  return ran + waited > 0 ? ran / (ran + waited) : 1.0;
}

}  // namespace mortem::tools
