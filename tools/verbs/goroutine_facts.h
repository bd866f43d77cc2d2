// Goroutines as JSON and as text, for the verbs that print them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "inspector/analysis/goroutines.h"

namespace mortem::tools {

// One element of `goroutines` of mortem.goroutines/1.
nlohmann::ordered_json goroutine_facts(const inspector::Goroutine& goroutine);

// "Goroutine 7 [chan receive] on thread 12:", the stack, "created by main.main at …"; `limit` as of stack_text().
std::string goroutine_text(const inspector::Goroutine& goroutine, size_t limit);

}  // namespace mortem::tools
