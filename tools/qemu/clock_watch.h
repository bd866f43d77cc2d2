// What a guest of ours sees of a pause by its own clock: it looks at it every millisecond from now until end().
#pragma once

#include <optional>

#include "tools/files.h"
#include "tools/qemu/instance.h"

namespace mortem::tools {

class ClockWatch {
 public:
  explicit ClockWatch(const std::optional<RunningInstance>& instance);
  // The longest time between two looks, milliseconds; nothing: the guest does not say.
  std::optional<double> end();

 private:
  Descriptor control_;
};

}  // namespace mortem::tools
