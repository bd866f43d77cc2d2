// How much of the time in which a guest's processors wanted to run they did run, by the host's scheduler.
#pragma once

#include <optional>
#include <vector>

#include "tools/qemu/qmp.h"

namespace mortem::tools {

class ProcessorTime {
 public:
  // From now on; of a QEMU on this machine whose threads we can see.
  static ProcessorTime begin(Qmp& qmp);
  // From 0 to 1; nothing: not known. What slows the guest down while it runs, QEMU's watching of its writes, is not in
  // it.
  std::optional<double> share() const;

 private:
  struct Times {
    uint64_t ran = 0, waited = 0;  // nanoseconds
  };
  static std::optional<Times> of(const std::vector<int64_t>& threads);

  std::vector<int64_t> threads_;
  std::optional<Times> before_;
};

}  // namespace mortem::tools
