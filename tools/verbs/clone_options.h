// Options and words that `clone` and `resume` share.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "tools/qemu/clone_start.h"

namespace mortem::tools {

struct CloneStartWords {
  CloneStartOptions options;
  std::string clock;
  bool runs = false;
};
void add_clone_start_options(CLI::App* verb, CloneStartWords& words);
Result<CloneStartOptions> clone_start_options(const CloneStartWords& words);

}  // namespace mortem::tools
