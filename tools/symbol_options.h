// Where the verbs that show stacks look for symbols.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "inspector/symbols/symbolizer.h"

namespace mortem::tools {

struct SymbolFlags {
  std::vector<std::string> files, folders, substitutions;
};
// Of --symbols; empty, or why it cannot be one.
std::string check_symbol_file(const std::string& path);
// --symbols, --debug-dir and --substitute.
void add_symbol_flags(CLI::App* verb, SymbolFlags& flags);

// What the flags say, then what `symbols.json` in ~/.config/mortem (or $XDG_CONFIG_HOME/mortem) says
// ({"DebugFolders": [DIR, ...], "Substitute": {FROM: TO, ...}}), the local store, this build's kernel beside the
// program, /usr/lib/debug.
inspector::SymbolOptions symbol_options(const SymbolFlags& flags);
// The same for a target, with what came in its folder (module_files.h).
inspector::SymbolOptions symbol_options(const SymbolFlags& flags, const std::string& target);
// Says, too, which of the files given belong to none of `modules`.
inspector::SymbolOptions symbol_options(const SymbolFlags& flags, const std::string& target,
                                        const std::vector<snapshot::CoreModule>& modules);

}  // namespace mortem::tools
