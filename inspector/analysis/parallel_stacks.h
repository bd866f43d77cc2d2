// The stacks of all threads as one tree, from the outermost function inwards: what they have in common stands once.
#pragma once

#include <string>
#include <vector>

#include "inspector/analysis/stack.h"

namespace mortem::inspector {

struct ParallelFrame {
  std::string function;  // empty: unknown, then `pc` tells
  std::string file;
  uint32_t line = 0;  // 0: unknown, or the threads stand at several lines of the function
  uint64_t pc = 0;
  std::string module;
  std::vector<uint32_t> threads;       // whose stacks go through here
  std::vector<uint32_t> ending;        // of them, whose innermost frame this is
  std::vector<ParallelFrame> callees;  // the one of most threads first
};

// The root stands for no frame. A run that repeats (recursion) is in it once.
ParallelFrame merge_stacks(const std::vector<const Stack*>& stacks);

}  // namespace mortem::inspector
