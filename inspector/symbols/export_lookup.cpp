#include "inspector/symbols/export_lookup.h"

#include <elf.h>

#include <cstring>

#include "inspector/elf/byte_cursor.h"

namespace mortem::inspector {
namespace {

uint32_t gnu_hash(std::string_view name) {
  uint32_t hash = 5381;
  for (const char one : name) hash = hash * 33 + static_cast<uint8_t>(one);
  return hash;
}

std::optional<uint32_t> word_at(std::span<const uint8_t> bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(uint32_t)) return std::nullopt;
  uint32_t word;
  std::memcpy(&word, bytes.data() + offset, sizeof(word));
  return word;
}

bool is_text_at(std::span<const uint8_t> names, uint64_t offset, std::string_view text) {
  return offset < names.size() && names.size() - offset > text.size() &&
         std::memcmp(names.data() + offset, text.data(), text.size()) == 0 && names[offset + text.size()] == 0;
}

}  // namespace

// DT_GNU_HASH: buckets of symbols that stand one after another, each with the upper 31 bits of its hash; the lowest bit
// ends a bucket. The filter before the buckets is passed over.
ExportAnswer look_up_export(const ElfImage& image, std::string_view name) {
  ExportAnswer answer;
  const ElfSection* table = image.section(".gnu.hash");
  const ElfSection* section = image.section(".dynsym");
  if (!table || !section || section->link >= image.sections().size()) return answer;
  const auto hashes = image.content(*table), symbols = image.content(*section);
  const auto names = image.content(image.sections()[section->link]);
  if (!hashes || !symbols || !names) return answer;
  ByteCursor cursor(*hashes, 0);
  const uint64_t bucket_count = cursor.u32(), first_symbol = cursor.u32(), filter_size = cursor.u32();
  if (cursor.bad() || bucket_count == 0) return answer;
  const uint64_t buckets = 16 + filter_size * 8, chains = buckets + bucket_count * 4;
  const uint32_t hash = gnu_hash(name);
  const auto start = word_at(*hashes, buckets + hash % bucket_count * 4);
  if (!start) return answer;
  answer.has_table = true;
  if (*start < first_symbol) return answer;
  for (uint64_t index = *start;; ++index) {
    const auto link = word_at(*hashes, chains + (index - first_symbol) * 4);
    if (!link || symbols->size() / sizeof(Elf64_Sym) <= index) return answer;
    if ((*link | 1) == (hash | 1)) {
      Elf64_Sym one;
      std::memcpy(&one, symbols->data() + index * sizeof(one), sizeof(one));
      if (one.st_shndx != SHN_UNDEF && one.st_shndx < image.sections().size() &&
          is_text_at(*names, one.st_name, name)) {
        answer.address = one.st_value;
        return answer;
      }
    }
    if ((*link & 1) != 0) return answer;
  }
}

}  // namespace mortem::inspector
