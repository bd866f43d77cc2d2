// What each thread is doing, in a few words, and which do the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inspector/analysis/stack.h"
#include "inspector/target/target.h"

namespace mortem::inspector {

// The system call that the thread is in; nothing: none, or it cannot be told.
std::optional<uint64_t> system_call_of(const TargetThread& thread, const Target& target);
std::string thread_state_text(const TargetThread& thread, std::optional<uint64_t> system_call);

// The innermost frame with a line, or else with a name: the program's own code, not the library's below it. Null: the
// stack has no frames.
const Frame* telling_frame(const Stack& stack);
std::string frame_place_text(const Frame* frame);  // "worker at pool.c:17", "0x401136", "unknown"

// For each stack the number of its group: equal where a reader would see no difference, functions and places, not the
// stacks' addresses. Groups are numbered in the order of their first members.
std::vector<size_t> group_equal_stacks(const std::vector<const Stack*>& stacks);

}  // namespace mortem::inspector
