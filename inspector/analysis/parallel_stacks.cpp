#include "inspector/analysis/parallel_stacks.h"

#include <algorithm>

namespace mortem::inspector {
namespace {

bool is_same_function(const ParallelFrame& one, const Frame& frame) {
  if (frame.function.empty() || one.function.empty())
    return frame.function.empty() && one.function.empty() && one.pc == frame.pc;
  return one.function == frame.function && one.module == frame.module;
}

ParallelFrame& callee_of(ParallelFrame& caller, const Frame& frame) {
  for (ParallelFrame& one : caller.callees) {
    if (!is_same_function(one, frame)) continue;
    if (one.line != frame.line) one.line = 0;
    return one;
  }
  ParallelFrame one;
  one.function = frame.function;
  one.file = frame.file;
  one.line = frame.line;
  one.pc = frame.pc;
  one.module = frame.module;
  return caller.callees.emplace_back(std::move(one));
}

// Frames of recursions behind their first run.
bool is_repeated(const Stack& stack, size_t index) {
  return std::any_of(stack.recursions.begin(), stack.recursions.end(), [&](const Recursion& one) {
    return index >= one.first + one.period && index < one.first + one.period * one.count;
  });
}

void sort_by_threads(ParallelFrame& frame) {
  std::stable_sort(frame.callees.begin(), frame.callees.end(),
                   [](const ParallelFrame& a, const ParallelFrame& b) { return a.threads.size() > b.threads.size(); });
  for (ParallelFrame& one : frame.callees) sort_by_threads(one);
}

}  // namespace

ParallelFrame merge_stacks(const std::vector<const Stack*>& stacks) {
  constexpr size_t kDeepest = 1000;  // innermost frames of a stack; the tree is walked by recursion
  ParallelFrame root;
  for (const Stack* stack : stacks) {
    ParallelFrame* at = &root;
    root.threads.push_back(stack->thread);
    std::vector<const Frame*> frames;
    for (size_t index = 0; index < stack->frames.size() && frames.size() < kDeepest; ++index)
      if (!is_repeated(*stack, index)) frames.push_back(&stack->frames[index]);
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
      at = &callee_of(*at, **frame);
      at->threads.push_back(stack->thread);
    }
    if (at != &root) at->ending.push_back(stack->thread);
  }
  sort_by_threads(root);
  return root;
}

}  // namespace mortem::inspector
