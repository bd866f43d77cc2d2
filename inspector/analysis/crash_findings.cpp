#include "inspector/analysis/crash_findings.h"

#include "inspector/analysis/noise.h"

namespace mortem::inspector {
namespace {

// The innermost frame that has lines and tells something.
std::optional<Frame> frame_with_source(const Stack& stack) {
  size_t index = first_telling_frame(stack);
  while (index < stack.frames.size() && stack.frames[index].line == 0) ++index;
  return index < stack.frames.size() ? std::optional(stack.frames[index]) : std::nullopt;
}

}  // namespace

CrashFindings find_crash(const Target& target, Symbolizer& symbolizer, StackReader& reader, const Stack* stack) {
  CrashFindings found;
  if (auto goroutines = read_goroutines(target, symbolizer, reader, {})) {
    found.goroutines = goroutines->all.size();
    if (const auto* one = crashed_goroutine(*goroutines, target)) found.goroutine = *one;
  }
  const Goroutine* goroutine = found.goroutine ? &*found.goroutine : nullptr;
  found.reason = explain_crash({target.core(), target, symbolizer, reader, stack, goroutine});
  const Stack* told = goroutine ? &goroutine->stack : stack;
  found.signature = crash_signature(found.reason, told);
  if (told) found.telling_frame = frame_with_source(*told);
  return found;
}

}  // namespace mortem::inspector
