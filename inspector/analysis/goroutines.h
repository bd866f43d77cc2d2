// The goroutines of a Go program, from its memory: what Go's own traceback would show, and for those it cannot stop
// too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inspector/analysis/go_runtime.h"
#include "inspector/analysis/stack.h"

namespace mortem::inspector {

struct Goroutine {
  uint64_t id = 0;
  uint64_t address = 0;             // of its runtime.g
  std::string state;                // "running", "runnable", "syscall", "waiting", "dead", …
  std::string wait_reason;          // "chan receive", "sleep"; empty: it waits for nothing
  bool system = false;              // the runtime's own
  std::optional<uint32_t> thread;   // the thread that runs it, or is in a call for it
  SourceLocation created_by;        // function empty: unknown, or the first one
  std::optional<uint64_t> creator;  // its id; Go 1.21 and newer
  std::string panic;                // what it panics with; empty: it does not
  Stack stack;
};

struct Goroutines {
  std::string version;                // "go1.19.8"; empty: unknown
  std::vector<Goroutine> all;         // by id; without dead ones
  std::vector<std::string> problems;  // what was broken in memory, one sentence each
};

Result<Goroutines> read_goroutines(const Target& target, Symbolizer& symbolizer, StackReader& reader,
                                   const StackOptions& options);
// The one that the crashed thread runs; null: none.
const Goroutine* crashed_goroutine(const Goroutines& goroutines, const Target& target);

}  // namespace mortem::inspector
