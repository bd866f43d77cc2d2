// A stack as text, the way gdb's `bt` shows it, with repeated frames folded.
#pragma once

#include <string>

#include "inspector/analysis/stack.h"

namespace mortem::inspector {

enum class Folding { Fold, ShowAll };

// `#0  0x… in f () at file:line`; `[inlined]`, `[scan]`, `[frame pointer]` or `[tail call]` behind frames that are; the
// last line says why the stack ends. `limit`: lines of frames at most, 0: all.
std::string stack_text(const Stack& stack, Folding folding, size_t limit);
// One frame of it, with a newline.
std::string frame_text(size_t number, const Frame& frame);
// `Thread 7 "name" (crashed):`
std::string stack_heading(const Stack& stack);

}  // namespace mortem::inspector
