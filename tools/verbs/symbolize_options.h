// The options of `mortem symbolize`: those of llvm-symbolizer, written as it takes them, and our own.
#pragma once

#include <string>
#include <vector>

#include "tools/symbol_options.h"
#include "tools/verbs/symbolize_text.h"

namespace mortem::tools {

struct SymbolizeOptions {
  std::vector<std::string> addresses;
  SymbolFlags symbols;
  std::string file, build_id, style = "LLVM", functions = "linkage";
  std::string adjust, source_lines, package, fallback_folder, ignored_text, ignored_number, ignored_color;
  std::vector<std::string> more_folders;
  bool basenames = false, relative = false, json = false, debuginfod = true;
  bool windows_library = false, markup = false, ignored = false;
  SymbolizeForm form;
};

void add_symbolize_options(CLI::App* verb, SymbolizeOptions& options);

// The command line as our other verbs take theirs: short options one by one, values behind `=`, of options that
// exclude each other the last, `@FILE` replaced by what stands in it.
std::vector<std::string> as_we_write_them(const std::vector<std::string>& arguments);

}  // namespace mortem::tools
