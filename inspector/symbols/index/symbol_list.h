// The symbol table of one file, sorted by address; which symbol an address is in, as llvm-symbolizer sees it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "inspector/elf/elf_image.h"

namespace mortem::inspector::index {

struct Symbol {
  uint64_t address = 0, size = 0;
  std::string_view name;
  std::string_view file;  // of a local symbol: the STT_FILE before it; empty: none
};

class SymbolList {
 public:
  SymbolList() = default;
  // .symtab, or .dynsym where that is not there. The names stay in the image's bytes.
  explicit SymbolList(std::shared_ptr<const ElfImage> image);
  const Symbol* find(uint64_t address) const;  // null: none
  const std::vector<Symbol>& all() const { return symbols_; }  // by address, one an address

 private:
  void read(const ElfSection& table, const ElfSection& names);

  std::shared_ptr<const ElfImage> image_;
  std::vector<Symbol> symbols_;
};

// The last symbol of a sorted list that starts at or before the address and, if it has a size, reaches it.
const Symbol* find_symbol(const std::vector<Symbol>& sorted, uint64_t address);

}  // namespace mortem::inspector::index
