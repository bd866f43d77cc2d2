// What a guest of ours sees of a pause by its own clock: it looks at it every millisecond from now until end(), and
// tells of each fortieth of a second by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tools/files.h"
#include "tools/qemu/control_channel.h"
#include "tools/qemu/instance.h"

namespace mortem::tools {

class ClockWatch {
 public:
  explicit ClockWatch(const std::optional<RunningInstance>& instance);
  // To be called all the time: begins a new part when the last one is long enough. Never waits.
  void look();
  // False: the guest does not say, or not all.
  bool end();

  // The longest time between two looks, milliseconds: of all, or of the parts that may have had to do with a time of the
  // host's clock (microseconds since 1970).
  double longest_gap() const { return longest_gap(0, INT64_MAX); }
  double longest_gap(int64_t from_us, int64_t to_us) const;

 private:
  struct Part {
    // When the guest was told to begin, and when its report had come: it heard of the one after the first, of the end
    // before the other.
    int64_t told_us, reported_us;
    std::optional<double> gap_ms;
  };
  bool begin_part();
  void take_reports(int wait_ms);
  bool has_all() const { return reports_ == parts_.size(); }

  Descriptor control_;
  ControlDecoder decoder_;
  int64_t began_us_ = 0;
  std::vector<Part> parts_;
  size_t reports_ = 0;  // they come in the order of the parts
};

}  // namespace mortem::tools
