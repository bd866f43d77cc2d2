#include "inspector/analysis/stack_text.h"

#include <fmt/format.h>

#include <iterator>

namespace mortem::inspector {
namespace {

constexpr size_t kFewestHiddenLines = 4;  // a fold that hides less only costs the reader

void add_frame(std::string& text, size_t number, const Frame& frame) {
  auto out = std::back_inserter(text);
  fmt::format_to(out, "#{:<3} {:#018x} in {}", number, frame.pc, frame.function.empty() ? "??" : frame.function);
  if (!frame.function.empty() && frame.function.back() != ')') text += " ()";
  if (frame.signal_frame) text += " <signal frame>";
  if (!frame.file.empty()) {
    fmt::format_to(out, " at {}", frame.file);
    if (frame.line != 0) fmt::format_to(out, ":{}", frame.line);
  } else if (!frame.module.empty()) {
    fmt::format_to(out, " from {}+{:#x}", frame.module, frame.module_offset);
  }
  if (frame.inlined) text += " [inlined]";
  if (frame.kernel) text += " [kernel]";
  if (frame.trust != Trust::Registers && frame.trust != Trust::Cfi)
    fmt::format_to(out, " [{}]", trust_name(frame.trust));
  text += '\n';
}

}  // namespace

std::string frame_text(size_t number, const Frame& frame) {
  std::string text;
  add_frame(text, number, frame);
  return text;
}

std::string stack_heading(const Stack& stack) {
  std::string text = fmt::format("Thread {}", stack.thread);
  if (!stack.thread_name.empty()) text += fmt::format(" \"{}\"", stack.thread_name);
  return text + (stack.crashed ? " (crashed):" : ":");
}

std::string stack_text(const Stack& stack, Folding folding, size_t limit) {
  std::string text;
  auto recursion = stack.recursions.begin();
  size_t lines = 0;
  for (size_t index = 0; index < stack.frames.size();) {
    if (limit != 0 && lines++ == limit)
      return text + fmt::format("(more frames follow: {} in all)\n", stack.frames.size());
    add_frame(text, index, stack.frames[index]);
    ++index;
    while (recursion != stack.recursions.end() && recursion->first + recursion->period < index) ++recursion;
    if (folding == Folding::ShowAll || recursion == stack.recursions.end() ||
        recursion->first + recursion->period != index)
      continue;
    const size_t hidden = recursion->period * (recursion->count - 1);
    if (hidden < kFewestHiddenLines) continue;
    fmt::format_to(std::back_inserter(text), "     … frames {}–{}: the {}-frame group above repeated {} times …\n",
                   index, index + hidden - 1, recursion->period, recursion->count - 1);
    index += hidden;
  }
  return text + fmt::format("(end: {})\n", stack.end);
}

}  // namespace mortem::inspector
