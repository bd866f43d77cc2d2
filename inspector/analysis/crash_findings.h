// Why a target stopped, as `mortem report` and the inspector's summary both say it.
#pragma once

#include <optional>

#include "inspector/analysis/goroutines.h"
#include "inspector/analysis/reason.h"
#include "inspector/analysis/signature.h"
#include "inspector/analysis/stack.h"

namespace mortem::inspector {

struct CrashFindings {
  CrashReason reason;
  CrashSignature signature;
  std::optional<Goroutine> goroutine;  // that the crashed thread runs
  size_t goroutines = 0;               // in all; 0: no Go program, or not to be found
  std::optional<Frame> telling_frame;  // where the source stops making sense; none: no frame has lines
};

// `stack`: the crashed thread's; null: none crashed.
CrashFindings find_crash(const Target& target, Symbolizer& symbolizer, StackReader& reader, const Stack* stack);

}  // namespace mortem::inspector
