// Stacks as JSON, for the verbs that print them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "inspector/analysis/stack.h"

namespace mortem::tools {

nlohmann::ordered_json text_or_null(const std::string& text);  // empty: null
nlohmann::ordered_json number_or_null(uint64_t number);        // 0: null
// One element of `threads` of mortem.bt/1.
nlohmann::ordered_json stack_facts(const inspector::Stack& stack);

// Names and paths in a dump are anyone's: each line as printable() makes it, the line ends kept.
std::string printable_lines(const std::string& text);

// A stack's heading and its text, as printable() makes them, in colours where stdout has them.
std::string painted_heading(const inspector::Stack& stack);
std::string painted_stack(const std::string& stack_text);

}  // namespace mortem::tools
