// Go's strings, slices and interfaces (runtime/runtime2.go).
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "inspector/values/describer.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kFlagsOffset = 20, kKindOffset = 23;  // of runtime._type, from Go 1.21 internal/abi.Type
constexpr uint8_t kDirectInterface =
    1 << 5;  // the data word is the value itself: of the kind, from Go 1.26 of the flags

class GoContainer : Container {
 public:
  using Container::Container;

  bool run() {
    if (type_.kind == TypeKind::Pointer) return describe_go_map(describer_, value_, type_, to_, depth_);
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
    to_.text = describer_.memory_string(*start, *length, {});
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
    const auto flags = describer_.reader().read_memory(*type + kFlagsOffset, 1);
    const bool is_pointer = dynamic->stripped().kind == TypeKind::Pointer;
    if (!is_pointer && (!kind || !flags)) {
      to_.note = "how it holds its value is not in memory";
      return false;
    }
    const bool direct = is_pointer || ((kind->front() | flags->front()) & kDirectInterface) != 0;
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
