// How a live guest is run, and where it is to stop.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inspector/live/live_guest.h"

namespace mortem::inspector::app {

enum class Motion : uint8_t { Continue, StepInstruction, StepLine, StepOver, StepOut };

// Of a recording: positions are instructions since its beginning.
struct TimeFacts {
  std::optional<uint64_t> position, first, last;
  std::vector<std::string> marks;  // "NAME POSITION"
};

struct BreakpointFacts {
  uint32_t id = 0;
  std::string where;      // as it was typed: "main", "pool.c:17", "0x401136"; of a watchpoint the expression
  std::string condition;  // empty: none
  bool watches = false;   // stops when the value is written
  bool enabled = true;
  std::vector<LivePoint> points;  // empty: it could not be set, `problem` says why
  std::string problem;
  uint64_t hits = 0;
};

}  // namespace mortem::inspector::app
