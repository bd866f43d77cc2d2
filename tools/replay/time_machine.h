// Any count of instructions of a recording, in both directions: what lies before is run again from the beginning.
#pragma once

#include <cstdint>

#include "snapshot/result.h"
#include "tools/replay/replay_machine.h"

namespace mortem::tools {

class TimeMachine {
 public:
  explicit TimeMachine(ReplayMachine& machine) : machine_(machine) {}

  // On to that count, or to the first point.
  Result<RunEnd> forward(uint64_t instructions) { return machine_.run_to(instructions); }
  // To that count from wherever it stands; no point may be set. Interrupted is the only other end.
  Result<RunEnd> seek(uint64_t instructions) {
    if (instructions < position()) TRY_VOID(machine_.begin());
    return forward(instructions);
  }
  uint64_t position() const { return machine_.position(); }

 private:
  ReplayMachine& machine_;
};

}  // namespace mortem::tools
