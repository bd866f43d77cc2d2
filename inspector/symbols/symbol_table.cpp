#include "inspector/symbols/symbol_table.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "inspector/symbols/export_lookup.h"

namespace mortem::inspector {
namespace {

bool is_function(const Symbol& symbol) {
  return symbol.type == STT_FUNC || symbol.type == STT_GNU_IFUNC;
}

std::string_view symbol_text(std::span<const uint8_t> names, uint64_t offset) {
  if (offset >= names.size()) return {};
  const char* text = reinterpret_cast<const char*>(names.data() + offset);
  return {text, strnlen(text, names.size() - offset)};
}

// By address; of several at one address only the largest is kept, of equal ones the last.
void sort_by_address(std::vector<const Symbol*>& symbols) {
  std::stable_sort(symbols.begin(), symbols.end(), [](const Symbol* a, const Symbol* b) {
    return a->address != b->address ? a->address < b->address : a->size < b->size;
  });
  size_t kept = 0;
  for (size_t index = 0; index < symbols.size(); ++index)
    if (index + 1 == symbols.size() || symbols[index + 1]->address != symbols[index]->address)
      symbols[kept++] = symbols[index];
  symbols.resize(kept);
}

const Symbol* covering_symbol(const std::vector<const Symbol*>& sorted, uint64_t address) {
  const auto after = std::upper_bound(sorted.begin(), sorted.end(), address,
                                      [](uint64_t value, const Symbol* one) { return value < one->address; });
  if (after == sorted.begin()) return nullptr;
  const Symbol* symbol = *std::prev(after);
  return symbol->size == 0 || address - symbol->address < symbol->size ? symbol : nullptr;
}

}  // namespace

SymbolTable::SymbolTable(std::shared_ptr<const ElfImage> image, std::shared_ptr<const ElfImage> small_symbols)
    : image_(std::move(image)), small_symbols_(std::move(small_symbols)) {}

const SymbolTable::Tables& SymbolTable::tables() const {
  if (tables_) return *tables_;
  tables_.emplace();
  if (!image_) return *tables_;
  tables_->in_symtab = read(*image_, ".symtab");
  tables_->in_dynsym = read(*image_, ".dynsym");
  if (tables_->in_symtab.empty() && small_symbols_) {
    tables_->in_symtab = read(*small_symbols_, ".symtab");
    tables_->in_symtab.insert(tables_->in_symtab.end(), tables_->in_dynsym.begin(), tables_->in_dynsym.end());
  }
  return *tables_;
}

std::vector<Symbol> SymbolTable::read(const ElfImage& image, const char* section_name) {
  std::vector<Symbol> symbols;
  const ElfSection* section = image.section(section_name);
  if (!section || section->link >= image.sections().size()) return symbols;
  const auto bytes = image.content(*section);
  const auto names = image.content(image.sections()[section->link]);
  if (!bytes || !names) return symbols;
  symbols.reserve(bytes->size() / sizeof(Elf64_Sym));
  std::string_view file;
  for (size_t at = sizeof(Elf64_Sym); bytes->size() - at >= sizeof(Elf64_Sym) && at < bytes->size();
       at += sizeof(Elf64_Sym)) {
    Elf64_Sym one;
    std::memcpy(&one, bytes->data() + at, sizeof(one));
    // More than 0xFF00 sections (SHN_XINDEX) do not occur in linked files.
    if (one.st_shndx == SHN_UNDEF || one.st_shndx >= image.sections().size()) {
      if (ELF64_ST_TYPE(one.st_info) == STT_FILE) file = symbol_text(*names, one.st_name);
      continue;
    }
    Symbol& symbol = symbols.emplace_back();
    symbol.address = one.st_value;
    symbol.size = one.st_size;
    symbol.name = symbol_text(*names, one.st_name);
    symbol.type = ELF64_ST_TYPE(one.st_info);
    symbol.local = ELF64_ST_BIND(one.st_info) == STB_LOCAL;
    if (symbol.local) symbol.file = file;
    symbol.allocated = (image.sections()[one.st_shndx].flags & SHF_ALLOC) != 0;
  }
  return symbols;
}

const std::vector<const Symbol*>& SymbolTable::by_address() const {
  if (!by_address_) {
    by_address_.emplace();
    const auto& [in_symtab, in_dynsym] = tables();
    for (const Symbol& one : in_symtab.empty() ? in_dynsym : in_symtab)
      if (one.allocated && (one.type == STT_NOTYPE || one.type == STT_OBJECT || is_function(one)))
        by_address_->push_back(&one);
    sort_by_address(*by_address_);
  }
  return *by_address_;
}

const Symbol* SymbolTable::covering(uint64_t address) const {
  return covering_symbol(by_address(), address);
}

std::optional<uint64_t> SymbolTable::address_of(std::string_view name) const {
  for (const auto* table : {&tables().in_symtab, &tables().in_dynsym})
    for (const Symbol& one : *table)
      if (one.name == name) return one.address;
  return std::nullopt;
}

std::optional<uint64_t> SymbolTable::exported(std::string_view name) const {
  if (!image_) return std::nullopt;
  if (const ExportAnswer answer = look_up_export(*image_, name); answer.has_table) return answer.address;
  if (!exports_) {
    exports_.emplace();
    for (const Symbol& one : tables().in_dynsym) exports_->try_emplace(one.name, one.address);
  }
  const auto found = exports_->find(name);
  return found == exports_->end() ? std::nullopt : std::optional(found->second);
}

const SymbolTable::Functions& SymbolTable::functions() const {
  if (functions_) return *functions_;
  functions_.emplace();
  for (const auto* table : {&tables().in_symtab, &tables().in_dynsym})
    for (const Symbol& one : *table) {
      if (!is_function(one)) continue;
      auto [place, is_new] = functions_->by_name.try_emplace(one.name, &one);
      if (!is_new && !one.local && place->second->local) place->second = &one;
      functions_->by_address.push_back(&one);
    }
  sort_by_address(functions_->by_address);
  return *functions_;
}

std::optional<uint64_t> SymbolTable::function(std::string_view name) const {
  const auto& by_name = functions().by_name;
  const auto found = by_name.find(name);
  return found == by_name.end() ? std::nullopt : std::optional(found->second->address);
}

std::optional<uint64_t> SymbolTable::function_start(uint64_t address) const {
  const Symbol* found = covering_symbol(functions().by_address, address);
  return found ? std::optional(found->address) : std::nullopt;
}

}  // namespace mortem::inspector
