// Finds the ELF file of a module on this machine, and the file with its debug information.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/companion_files.h"
#include "inspector/symbols/symbolizer.h"

namespace mortem::inspector {

struct FoundFiles {
  SymbolFiles paths;
  std::shared_ptr<const ElfImage> executable;     // null: not found
  std::shared_ptr<const ElfImage> debug;          // null: not found; may be the same as `executable`
  std::shared_ptr<const ElfImage> alternate;      // of `debug`; null: it has none, or it was not found
  std::shared_ptr<const ElfImage> small_symbols;  // of `executable`; null: none
  std::string missing;                            // what was not found, and where was looked for; empty: all is there
};

// By the module's id or, where that has none, by the file's name.
bool is_file_of(const ElfImage& image, const std::filesystem::path& path, const snapshot::CoreModule& module);

class SymbolFileFinder {
 public:
  explicit SymbolFileFinder(SymbolOptions options);
  FoundFiles find(const snapshot::CoreModule& module);

 private:
  struct Extra {
    std::filesystem::path path;
    std::shared_ptr<const ElfImage> image;
  };
  class Search;
  SymbolOptions options_;
  std::vector<Extra> extra_;
  Debuginfod debuginfod_;
};

std::string hexadecimal(std::span<const uint8_t> bytes);

// What the file of a module is called in a clone's or recording's folder; with ".debug" behind it the file with its
// debug information.
std::string module_file_name(const std::string& hexadecimal_id);

}  // namespace mortem::inspector
