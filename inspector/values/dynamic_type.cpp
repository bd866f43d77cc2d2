#include "inspector/values/dynamic_type.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "inspector/symbols/demangle.h"

namespace mortem::inspector {
namespace {

constexpr size_t kLongestName = 4096;

// The mangled name that std::type_info keeps behind its virtual table; what is local to a file begins with a star
// there.
std::string mangled_name(MemoryCache& memory, uint64_t type_info) {
  const auto address = memory.read_word(type_info + 8);
  if (!address) return {};
  std::array<uint8_t, kLongestName> bytes;
  const size_t got = memory.read(*address, bytes);
  const auto end = std::find(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(got), 0);
  if (end == bytes.begin() + static_cast<ptrdiff_t>(got)) return {};
  const std::string name(bytes.begin(), end);
  return name.starts_with('*') ? name.substr(1) : name;
}

}  // namespace

std::optional<DynamicType> find_dynamic_type(MemoryCache& memory, uint64_t object) {
  // Itanium C++ ABI, 2.5.2: before the virtual functions stand the distance to the whole object and its type_info.
  const auto table = memory.read_word(object);
  const auto distance = table ? memory.read_word(*table - 16) : std::nullopt;
  const auto information = table ? memory.read_word(*table - 8) : std::nullopt;
  if (!distance || !information || *information == 0) return std::nullopt;
  constexpr std::string_view kPrefix = "typeinfo for ";
  const std::string name = demangle("_ZTI" + mangled_name(memory, *information));
  if (!name.starts_with(kPrefix)) return std::nullopt;
  return DynamicType{name.substr(kPrefix.size()), object + *distance};
}

}  // namespace mortem::inspector
