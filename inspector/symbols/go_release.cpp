#include "inspector/symbols/go_release.h"

#include <charconv>

#include "inspector/elf/byte_cursor.h"

namespace mortem::inspector {

std::string go_version(const ElfImage& image) {
  constexpr std::string_view kMagic = "\xFF Go buildinf:";
  constexpr uint64_t kFlags = 15, kText = 32;
  constexpr uint8_t kIsInline = 2;  // the texts stand here; before Go 1.18 addresses of them
  const ElfSection* section = image.section(".go.buildinfo");
  const auto bytes = section ? image.content(*section) : std::nullopt;
  if (!bytes || bytes->size() < kText) return {};
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  if (!text.starts_with(kMagic) || ((*bytes)[kFlags] & kIsInline) == 0) return {};
  ByteCursor cursor(*bytes, kText);
  const uint64_t length = cursor.uleb();
  constexpr uint64_t kLongest = 256;
  if (cursor.bad() || length > cursor.left() || length > kLongest) return {};
  return std::string(text.substr(cursor.offset(), length));
}

std::optional<int> go_release(std::string_view version) {
  constexpr std::string_view kStart = "go1.";
  if (!version.starts_with(kStart)) return std::nullopt;
  int release = 0;
  const auto [end, error] = std::from_chars(version.data() + kStart.size(), version.data() + version.size(), release);
  return error == std::errc() ? std::optional(release) : std::nullopt;
}

}  // namespace mortem::inspector
