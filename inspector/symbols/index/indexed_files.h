// The files that one index is made of.
#pragma once

#include <filesystem>
#include <memory>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/symbol_files.h"

namespace mortem::inspector::index {

struct IndexedFiles {
  std::shared_ptr<const ElfImage> executable, debug;  // the same where nothing else has debug information
  std::shared_ptr<const ElfImage> alternate;          // what dwz moved parts of `debug` to; null: none
  std::shared_ptr<const ElfImage> small_symbols;      // of `executable`; null: none
  SymbolFiles paths;                                  // by which .dwo files are found

  IndexedFiles() = default;
  explicit IndexedFiles(const FoundFiles& found)
      : executable(found.executable),
        debug(found.debug ? found.debug : found.executable),
        alternate(found.alternate),
        small_symbols(found.small_symbols),
        paths(found.paths) {}
  // `debug` is found by build id or debug link, as for a module of a dump.
  static Result<IndexedFiles> find(const std::filesystem::path& path, const SymbolOptions& options);
  // Both by build id. Where only the debug file is here, its symbols are the program's.
  static Result<IndexedFiles> find(const std::vector<uint8_t>& build_id, const SymbolOptions& options);

  // `strip` takes .symtab away from the program and leaves it in the debug file.
  bool symbols_are_in_debug_file() const {
    return debug && debug != executable && (!executable || !executable->has_symbol_table()) &&
           debug->has_symbol_table();
  }
};

}  // namespace mortem::inspector::index
