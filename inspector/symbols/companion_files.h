// Files that belong to a file with debug information or symbols: the alternate file that dwz moved common parts to, the
// package of split DWARF, the small symbol table within a stripped program.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/debuginfod.h"
#include "inspector/symbols/symbolizer.h"

namespace mortem::inspector {

struct AlternateFile {
  std::shared_ptr<const ElfImage> image;  // null: none is named, or it was not found
  std::filesystem::path path;
  std::string problem;  // what is wrong; empty: nothing
};
// .gnu_debugaltlink, or DWARF 5's .debug_sup. Only a file of the build id that is named there is taken.
AlternateFile find_alternate(const ElfImage& debug, const std::filesystem::path& debug_path,
                             const SymbolOptions& options, Debuginfod& debuginfod);

// FILE.dwp beside the debug file, the executable or the module's path; empty: there is none.
std::filesystem::path find_package(const SymbolFiles& files, const std::filesystem::path& module_path);

// .gnu_debugdata: an xz-compressed ELF file with a .symtab (GDB manual, "MiniDebugInfo"); null: none, or broken.
std::shared_ptr<const ElfImage> small_symbols(const ElfImage& executable);

}  // namespace mortem::inspector
