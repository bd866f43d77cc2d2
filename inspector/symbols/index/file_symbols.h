// Everything that is asked of one ELF file by address: its own symbol table and the debug information that belongs to
// it, wherever that stands. What `symbolize` works with.
#pragma once

#include "inspector/symbols/index/address_lookup.h"
#include "inspector/symbols/index/symbol_list.h"
#include "inspector/symbols/symbol_files.h"

namespace mortem::inspector::index {

class FileSymbols {
 public:
  static Result<std::unique_ptr<FileSymbols>> open(const std::filesystem::path& path, const SymbolOptions& options);
  virtual ~FileSymbols() = default;

  // Innermost first; empty: the debug information says nothing of the address. Valid until the next call.
  virtual const std::vector<LookedUpFrame>& locate(uint64_t address) = 0;
  virtual const Symbol* symbol_at(uint64_t address) = 0;             // null: none
  virtual const std::vector<const Symbol*>& symbols_named(std::string_view name) = 0;  // in the table's order
};

}  // namespace mortem::inspector::index
