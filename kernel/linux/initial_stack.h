// What a new program finds on its stack: argc, argv, envp and the auxiliary vector (AMD64 psABI 3.4.1).
#pragma once

#include <cstdint>
#include <span>

#include "kernel/library/result.h"

namespace kernel::linux {

struct Auxiliary {
  uint64_t type, value;
};

struct StackContents {
  const char* const* arguments;  // null-terminated
  const char* const* environment;
  const char* program_path;              // AT_EXECFN
  std::span<const Auxiliary> auxiliary;  // without the strings' entries, which are added
};

struct StackPlaces {  // for /proc/self/stat, cmdline and environ
  uint64_t start, arguments_start, arguments_end, environment_start, environment_end;
};
extern StackPlaces g_stack_places;

// Returns the initial stack pointer; ArgumentsTooLong when it all takes more than a quarter of the stack.
Result<uint64_t> push_initial_stack(uint64_t top, uint64_t stack_size, const StackContents& contents);

}  // namespace kernel::linux
