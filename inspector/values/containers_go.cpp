// Go's strings, slices, maps (runtime/map.go of Go up to 1.23) and interfaces (runtime/runtime2.go).
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "inspector/values/describer.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kMostGoBuckets = 1ull << 24, kBucketCells = 8;
constexpr uint8_t kMinimumTopHash = 5, kEvacuatedX = 2, kEvacuatedEmpty = 4;
constexpr uint64_t kKindOffset = 23;          // of runtime._type.kind
constexpr uint8_t kDirectInterface = 1 << 5;  // the data word is the value itself

class GoContainer : Container {
 public:
  using Container::Container;

  bool run() {
    if (type_.kind == TypeKind::Pointer) return is_map() && map();
    if (type_.name == "string") return string();
    if (type_.name.starts_with("[]")) return slice();
    if (type_.name == "runtime.iface") return interface(true);
    if (type_.name == "runtime.eface") return interface(false);
    return false;
  }

 private:
  bool string() {
    const auto start = describer_.number(value_, {"str"}), length = describer_.number(value_, {"len"});
    if (!start || !length || *length > kMaximumElements) return false;
    to_.text = describer_.memory_string(*start, *length, 1);
    return true;
  }

  bool slice() {
    const auto array = describer_.get(value_, {"array"});
    const auto length = describer_.number(value_, {"len"}), capacity = describer_.number(value_, {"cap"});
    if (!array || !length || !capacity || *length > *capacity || *length > kMaximumElements) return false;
    const Type* element = array->type->stripped().target();
    const auto start = describer_.reader().read_integer(*array);
    if (!start || !element || !element->stripped().has_size) return false;
    to_.elements = true;
    to_.count = *length;
    if (*start == 0) to_.text = "nil";
    const auto [first, end] = describer_.window(*length, depth_);
    to_.first = first;
    for (uint64_t index = first; index < end; ++index)
      if (!describer_.add_element(to_, index, Value::in_memory(element, *start + index * element->stripped().size),
                                  depth_))
        break;
    return true;
  }

  // The compiler names the header of a map hash<K,V> and makes map[K]V a pointer to it.
  bool is_map() {
    const Type* target = type_.target();
    return target && target->stripped().name.starts_with("hash<");
  }

  struct Cells {
    std::vector<std::pair<Value, Value>> found;
    bool broken = false;
  };

  // One bucket and those that overflowed from it. `old`: one of before the map grew; false if it has been moved away.
  bool bucket(const Type* type, uint64_t address, bool old, Cells& cells) {
    for (size_t chain = 0; address != 0; ++chain) {
      if (chain > 100000) return cells.broken = true;
      const Value whole = Value::in_memory(type, address);
      const auto hashes = describer_.get(whole, {"tophash"}), keys = describer_.get(whole, {"keys"}),
                 values = describer_.get(whole, {"values"});
      const auto next = describer_.number(whole, {"overflow"});
      const auto bytes =
          hashes ? describer_.reader().read(*hashes, 0, kBucketCells) : Found<std::vector<uint8_t>>(not_known(""));
      if (!bytes || !keys || !values || !next) {
        cells.broken = true;
        return true;
      }
      if (old && chain == 0 && (*bytes)[0] >= kEvacuatedX && (*bytes)[0] <= kEvacuatedEmpty) return false;
      for (uint64_t cell = 0; cell < kBucketCells; ++cell) {
        if ((*bytes)[cell] < kMinimumTopHash) continue;
        const auto key = describer_.reader().element(*keys, cell), mapped = describer_.reader().element(*values, cell);
        if (key && mapped) cells.found.emplace_back(*key, *mapped);
      }
      address = *next;
    }
    return true;
  }

  bool map() {
    const auto address = describer_.reader().read_integer(value_);
    if (!address) return false;
    if (*address == 0) {
      to_.text = "nil";
      return true;
    }
    const Value header = Value::in_memory(type_.target(), *address);
    const auto count = describer_.number(header, {"count"}), power = describer_.number(header, {"B"});
    const auto buckets = describer_.get(header, {"buckets"}), old = describer_.get(header, {"oldbuckets"});
    const auto flags = describer_.number(header, {"flags"});
    if (!count || !power || !buckets || !old || !flags || *power > 24) return false;
    const Type* type = buckets->type->stripped().target();
    const auto start = describer_.reader().read_integer(*buckets), old_start = describer_.reader().read_integer(*old);
    if (!type || !type->stripped().has_size || !start || !old_start) return false;
    constexpr uint64_t kSameSizeGrow = 8;
    const uint64_t size = type->stripped().size, all = uint64_t{1} << *power;
    const uint64_t old_all = (*flags & kSameSizeGrow) != 0 ? all : all / 2;
    Cells cells;
    if (*start != 0)
      for (uint64_t index = 0; index < all && !cells.broken; ++index) bucket(type, *start + index * size, false, cells);
    if (*old_start != 0)
      for (uint64_t index = 0; index < old_all && !cells.broken; ++index)
        bucket(type, *old_start + index * size, true, cells);
    if (cells.found.size() != *count)
      to_.note = fmt::format("broken: it says {} elements and {} were found", *count, cells.found.size());
    to_.elements = true;
    to_.count = cells.found.size();
    const auto [first, end] = describer_.window(cells.found.size(), depth_);
    to_.first = first;
    for (uint64_t index = first; index < end; ++index) {
      const auto& [key, mapped] = cells.found[index];
      const std::string name = value_text(describer_.node(key, "", depth_ + 1));
      if (!describer_.add_element(to_, index, mapped, depth_)) break;
      to_.children.back().name = "[" + name + "]";
    }
    return true;
  }

  // The dynamic type that runtime.itab at `address` is for; nothing if none is there: it repeats its type's hash.
  std::optional<uint64_t> itab_type(uint64_t address) {
    constexpr uint64_t kType = 8, kHash = 16, kHashOfType = 16;
    const auto type = word(address + kType);
    if (!type) return std::nullopt;
    const auto hash = describer_.reader().read_memory(address + kHash, 4);
    const auto hash_of_type = describer_.reader().read_memory(*type + kHashOfType, 4);
    return hash && hash_of_type && *hash == *hash_of_type ? type : std::nullopt;
  }

  bool interface(bool with_methods) {
    auto type = describer_.number(value_, {with_methods ? "tab" : "_type"});
    const auto data = describer_.number(value_, {"data"});
    if (!type || !data) return false;
    if (*type == 0) {
      to_.text = "nil";
      return true;
    }
    if (with_methods) {
      const auto table = itab_type(*type);
      if (!table) {
        to_.known = false;
        to_.text = missing_text({false, "its first word points to no table of methods"});
        return true;
      }
      type = *table;
    }
    const Type* dynamic = describer_.program().go_type(*type);
    if (!dynamic) {
      to_.note = "its dynamic type is not in the debug information";
      return false;
    }
    const auto kind = describer_.reader().read_memory(*type + kKindOffset, 1);
    const TypeKind shape = dynamic->stripped().kind;
    const bool direct = shape == TypeKind::Pointer || (kind && (kind->front() & kDirectInterface) != 0);
    std::vector<uint8_t> word(8);
    std::memcpy(word.data(), &*data, 8);
    const Value content = direct ? Value::of_bytes(dynamic, word) : Value::in_memory(dynamic, *data);
    ValueNode inner = describer_.node(content, to_.name, depth_ + 1);
    // An error made of a pointer says something behind the pointer.
    if (direct && inner.children.empty()) describer_.follow(inner, content, depth_);
    inner.text = fmt::format("({}){}{}", type_text(dynamic), inner.text.empty() ? "" : " ", inner.text);
    inner.type = to_.type;
    to_ = std::move(inner);
    return true;
  }
};

}  // namespace

bool describe_go(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth) {
  return GoContainer(describer, value, type, to, depth).run();
}

}  // namespace mortem::inspector
