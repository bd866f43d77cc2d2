#include "tools/image/loader_cache.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <vector>

namespace mortem::tools {

namespace {

constexpr std::string_view kCacheMagic = "glibc-ld.so.cache1.1";
constexpr uint32_t kX86_64Library = 0x0303;  // FLAG_X8664_LIB64 | FLAG_ELF_LIBC6
constexpr uint8_t kLittleEndian = 2;         // cache_file_new_flags_endian_little

struct CacheHeader {
  char magic[20];
  uint32_t count;
  uint32_t strings_length;
  uint8_t flags;
  uint8_t padding[3];
  uint32_t extension_offset;
  uint32_t unused[3];
};
static_assert(sizeof(CacheHeader) == 48);

struct CacheEntry {
  int32_t flags;
  uint32_t key, value;  // offsets of strings, from the start of the header
  uint32_t os_version;
  uint64_t processor;  // not 0: only for processors that have certain features
};
static_assert(sizeof(CacheEntry) == 24);

std::string text_at(std::string_view cache, uint64_t offset) {
  if (offset >= cache.size()) return {};
  const std::string_view text = cache.substr(offset);
  const size_t end = text.find('\0');
  return end == std::string_view::npos ? std::string() : std::string(text.substr(0, end));
}

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

// The order the loader's binary search relies on (elf/dl-cache.c, _dl_cache_libcmp): runs of digits count as numbers,
// and a number is greater than any other character.
int compare_names(std::string_view a, std::string_view b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) != is_digit(b[j])) return is_digit(a[i]) ? 1 : -1;
    if (!is_digit(a[i])) {
      if (a[i] != b[j]) return static_cast<signed char>(a[i]) - static_cast<signed char>(b[j]);
      ++i, ++j;
      continue;
    }
    uint64_t first = 0, second = 0;
    while (i < a.size() && is_digit(a[i])) first = first * 10 + uint64_t(a[i++] - '0');
    while (j < b.size() && is_digit(b[j])) second = second * 10 + uint64_t(b[j++] - '0');
    if (first != second) return first < second ? -1 : 1;
  }
  return int(i < a.size()) - int(j < b.size());
}

}  // namespace

LoaderCache parse_loader_cache(std::string_view bytes) {
  // glibc before 2.32 wrote it behind a cache of the older kind.
  const size_t start = bytes.find(kCacheMagic);
  if (start == std::string_view::npos || bytes.size() - start < sizeof(CacheHeader)) return {};
  const std::string_view cache = bytes.substr(start);
  CacheHeader header;
  std::memcpy(&header, cache.data(), sizeof header);
  const size_t fitting = (cache.size() - sizeof header) / sizeof(CacheEntry);
  LoaderCache libraries;
  for (size_t index = 0; index < std::min<size_t>(header.count, fitting); ++index) {
    CacheEntry entry;
    std::memcpy(&entry, cache.data() + sizeof header + index * sizeof entry, sizeof entry);
    if (uint32_t(entry.flags) != kX86_64Library || entry.processor != 0) continue;
    const std::string name = text_at(cache, entry.key), path = text_at(cache, entry.value);
    if (!name.empty() && path.starts_with('/')) libraries.emplace(name, path);
  }
  return libraries;
}

std::string loader_cache_bytes(const LoaderCache& libraries) {
  std::vector<const LoaderCache::value_type*> order;
  for (const auto& library : libraries) order.push_back(&library);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return compare_names(a->first, b->first) > 0; });
  const size_t strings_start = sizeof(CacheHeader) + order.size() * sizeof(CacheEntry);
  std::string entries, strings;
  auto add_string = [&](const std::string& text) {
    const auto offset = uint32_t(strings_start + strings.size());
    strings.append(text).push_back('\0');
    return offset;
  };
  for (const auto* library : order) {
    const CacheEntry entry{.flags = int32_t(kX86_64Library),
                           .key = add_string(library->first),
                           .value = add_string(library->second),
                           .os_version = 0,
                           .processor = 0};
    entries.append(reinterpret_cast<const char*>(&entry), sizeof entry);
  }
  CacheHeader header{};
  std::memcpy(header.magic, kCacheMagic.data(), kCacheMagic.size());
  header.count = uint32_t(order.size());
  header.strings_length = uint32_t(strings.size());
  header.flags = kLittleEndian;
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + entries + strings;
}

}  // namespace mortem::tools
