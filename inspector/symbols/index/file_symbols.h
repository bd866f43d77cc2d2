// Everything that is asked of one ELF file by address: its own symbol table and the debug information that belongs to
// it, wherever that stands. What `symbolize` works with.
#pragma once

#include "inspector/symbols/index/address_lookup.h"
#include "inspector/symbols/index/indexed_files.h"
#include "inspector/symbols/index/variable_lookup.h"
#include "inspector/symbols/symbol_table.h"

namespace mortem::inspector::index {

class FileSymbols {
 public:
  // By the index of the file if there is one, else by its debug information.
  static Result<std::unique_ptr<FileSymbols>> open(const std::filesystem::path& path, const SymbolOptions& options);
  // The file of a build id, by the folders of `options` and debuginfod's servers.
  static Result<std::unique_ptr<FileSymbols>> open_build_id(const std::vector<uint8_t>& id,
                                                            const SymbolOptions& options);
  virtual ~FileSymbols() = default;

  // Innermost first; empty: the debug information says nothing of the address. Valid until the next call.
  virtual const std::vector<LookedUpFrame>& locate(uint64_t address, bool declarations) = 0;
  virtual uint64_t locality(uint64_t address) = 0;        // as AddressLookup's
  virtual const Symbol* symbol_at(uint64_t address) = 0;  // null: none; until the next call
  virtual std::vector<Symbol> symbols_named(std::string_view name) = 0;
  // Of variables: always from the debug information itself, which is opened then. Files until the next call of
  // locate().
  virtual Declaration declaration_at(uint64_t address) = 0;
  virtual std::vector<LocalVariable> locals_at(uint64_t address) = 0;
  // The text of a source file, where the debug information itself holds it.
  virtual std::optional<std::string_view> embedded_source(const std::string& path) = 0;
  // What is worth a word to the user, once; empty: nothing.
  virtual std::string take_complaint() = 0;
};

}  // namespace mortem::inspector::index
