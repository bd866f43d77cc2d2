// The symbols of an ELF file: .symtab, and .dynsym for what that does not have. Addresses are those of the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inspector/elf/elf_image.h"

namespace mortem::inspector {

struct Symbol {
  uint64_t address = 0, size = 0;
  std::string_view name;  // into the file
  std::string_view file;  // of a local symbol: the STT_FILE before it; empty: none
  uint8_t type = 0;       // STT_*
  bool local = false;
  bool allocated = false;  // in a section that is in memory at run time
};

class SymbolTable {
 public:
  SymbolTable() = default;  // no symbols
  // `small_symbols`: the image in .gnu_debugdata, whose .symtab has what the image's .dynsym has not; may be null.
  explicit SymbolTable(std::shared_ptr<const ElfImage> image, std::shared_ptr<const ElfImage> small_symbols = nullptr);

  // The symbol of code or data that covers `address`, the largest of those that start together; a symbol without a size
  // reaches to the next. The same as LLVM's (llvm/DebugInfo/Symbolize/SymbolizableObjectFile.h), so that names of
  // functions without debug information are those of llvm-symbolizer.
  const Symbol* covering(uint64_t address) const;
  // Those that covering() gives, one an address.
  const std::vector<const Symbol*>& by_address() const;
  // Defined symbols of any kind, .symtab's before .dynsym's.
  std::optional<uint64_t> address_of(std::string_view name) const;
  // What other modules can call by this name: .dynsym.
  std::optional<uint64_t> exported(std::string_view name) const;
  // Functions only; of several with one name a global one.
  std::optional<uint64_t> function(std::string_view name) const;
  std::optional<uint64_t> function_start(uint64_t address) const;
  // Those that function_start() gives, one an address; where one has a size it reaches no further.
  const std::vector<const Symbol*>& functions_by_address() const { return functions().by_address; }

 private:
  struct Functions {
    std::unordered_map<std::string_view, const Symbol*> by_name;
    std::vector<const Symbol*> by_address;  // of several at one address the largest
  };
  struct Tables {
    std::vector<Symbol> in_symtab, in_dynsym;
  };
  const Tables& tables() const;  // read when first asked for
  static std::vector<Symbol> read(const ElfImage& image, const char* section_name);
  const Functions& functions() const;

  std::shared_ptr<const ElfImage> image_, small_symbols_;
  mutable std::optional<Tables> tables_;
  mutable std::optional<std::vector<const Symbol*>> by_address_;
  mutable std::optional<std::unordered_map<std::string_view, uint64_t>> exports_;
  mutable std::optional<Functions> functions_;
};

}  // namespace mortem::inspector
