#include "inspector/symbols/index/symbol_list.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "inspector/symbols/index/byte_cursor.h"

namespace mortem::inspector::index {
namespace {

std::span<const uint8_t> content(const ElfImage& image, const ElfSection& section) {
  const auto bytes = image.bytes();
  if (section.type == SHT_NOBITS || (section.flags & SHF_COMPRESSED) != 0 || section.offset > bytes.size() ||
      bytes.size() - section.offset < section.size)
    return {};
  return bytes.subspan(section.offset, section.size);
}

}  // namespace

SymbolList::SymbolList(std::shared_ptr<const ElfImage> image) : image_(std::move(image)) {
  for (const auto& [table, names] : {std::pair(".symtab", ".strtab"), std::pair(".dynsym", ".dynstr")}) {
    const ElfSection* symbols = image_->section(table);
    const ElfSection* strings = image_->section(names);
    if (!symbols || !strings || symbols->type == SHT_NOBITS || symbols->size == 0) continue;
    read(*symbols, *strings);
    return;
  }
}

void SymbolList::read(const ElfSection& table, const ElfSection& names) {
  const auto bytes = content(*image_, table), texts = content(*image_, names);
  const auto& sections = image_->sections();
  const size_t count = bytes.size() / sizeof(Elf64_Sym);
  symbols_.reserve(count);
  std::string_view file;
  for (size_t index = 1; index < count; ++index) {
    Elf64_Sym symbol;
    std::memcpy(&symbol, bytes.data() + index * sizeof(symbol), sizeof(symbol));
    const auto name = [&] { return ByteCursor(texts, symbol.st_name).text(); };
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE || symbol.st_shndx >= sections.size()) {
      if (type == STT_FILE) file = name();
      continue;
    }
    if (type != STT_NOTYPE && type != STT_FUNC && type != STT_OBJECT && type != STT_GNU_IFUNC) continue;
    if ((sections[symbol.st_shndx].flags & SHF_ALLOC) == 0) continue;
    Symbol one{symbol.st_value, symbol.st_size, name(), {}};
    if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) one.file = file;
    symbols_.push_back(one);
  }
  // Of several at one address the largest counts, of those the last: one with a size before one without.
  std::stable_sort(symbols_.begin(), symbols_.end(), [](const Symbol& a, const Symbol& b) {
    return a.address != b.address ? a.address < b.address : a.size < b.size;
  });
  size_t kept = 0;
  for (size_t index = 0; index < symbols_.size(); ++index) {
    if (index + 1 < symbols_.size() && symbols_[index + 1].address == symbols_[index].address) continue;
    symbols_[kept++] = symbols_[index];
  }
  symbols_.resize(kept);
}

const Symbol* find_symbol(const std::vector<Symbol>& sorted, uint64_t address) {
  const auto after = std::upper_bound(sorted.begin(), sorted.end(), address,
                                      [](uint64_t value, const Symbol& one) { return value < one.address; });
  if (after == sorted.begin()) return nullptr;
  const Symbol& one = *std::prev(after);
  return one.size != 0 && address - one.address >= one.size ? nullptr : &one;
}

const Symbol* SymbolList::find(uint64_t address) const {
  return find_symbol(symbols_, address);
}

}  // namespace mortem::inspector::index
