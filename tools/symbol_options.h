// Where the verbs that show stacks look for symbols.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inspector/symbols/symbolizer.h"
#include "tools/local_store.h"

namespace mortem::tools {

// `--symbols FILE`s, the local store, this build's kernel beside the program, /usr/lib/debug.
inline inspector::SymbolOptions symbol_options(const std::vector<std::string>& files) {
  inspector::SymbolOptions options;
  options.extra_files.assign(files.begin(), files.end());
  options.store = local_store();
  std::error_code ignored;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  if (!folder.empty()) options.kernel_files = {folder / "kernel/mortem-kernel.elf", folder / "mortem-kernel.elf"};
  return options;
}

}  // namespace mortem::tools
