// All that the explanations of a crash may ask.
#pragma once

#include "inspector/analysis/goroutines.h"
#include "inspector/analysis/stack.h"
#include "inspector/symbols/symbolizer.h"
#include "inspector/target/target.h"
#include "snapshot/core_file.h"

namespace mortem::inspector {

struct CrashScene {
  const snapshot::CoreFile& core;
  const Target& target;
  Symbolizer& symbolizer;
  StackReader& reader;
  const Stack* stack = nullptr;          // the crashed thread's; null: none
  const Goroutine* goroutine = nullptr;  // that the crashed thread runs; null: none
};

}  // namespace mortem::inspector
