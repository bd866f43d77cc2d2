// `mortem gdb` on what does not run.
#pragma once

#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::tools {

struct GdbDumpOptions {
  std::string target;
  std::vector<std::string> symbols;
  bool print = false, kernel = false;
  std::vector<std::string> arguments;  // gdb's own
};

// Starts gdb over a server of this process and waits for its end. Returns the verb's exit status, which is gdb's.
int gdb_on_dump(const GdbDumpOptions& options);

}  // namespace mortem::tools
