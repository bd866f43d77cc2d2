// What the loader writes and process.h shows.
#pragma once

#include "kernel/task/process.h"

namespace kernel {

void add_auxiliary(uint64_t type, uint64_t value);
void add_command_line_word(const char* word);

}  // namespace kernel
