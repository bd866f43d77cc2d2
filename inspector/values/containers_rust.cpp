// Rust's standard library, by the members that its debug information names; layouts of rustc 1.63 and 1.95 were looked
// at, and what is elsewhere is shown as the structures that it is.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "inspector/values/describer.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kMaximumBuckets = 1ull << 28;

class RustContainer : Container {
 public:
  using Container::Container;

  bool run() {
    if (!type_.complete().variants.empty()) return enumeration();
    const std::string name = type_.name.substr(0, type_.name.find('<'));
    const std::string last = name.substr(name.rfind(':') == std::string::npos ? 0 : name.rfind(':') + 1);
    if (type_.name == "&str" || type_.name == "&mut str" || type_.name.starts_with("alloc::boxed::Box<str"))
      return slice(true);
    if (has("data_ptr") && has("length") && is_slice()) return slice(false);
    if (name == "alloc::string::String") return string();
    if (name == "alloc::vec::Vec") return vector();
    if (last == "VecDeque") return ring();
    if (name.starts_with("std::collections::hash::") && last == "HashMap") return hashed({"base", "table"}, true);
    if (name.starts_with("std::collections::hash::") && last == "HashSet")
      return hashed({"base", "map", "table"}, false);
    if (name.starts_with("hashbrown::") && last == "HashMap") return hashed({"table"}, true);
    if (name == "alloc::collections::btree::map::BTreeMap") return tree(value_, argument(type_, 1));
    if (name == "alloc::collections::btree::set::BTreeSet") {
      const auto map = describer_.get(value_, {"map"});
      return map && tree(*map, nullptr);
    }
    if (name == "alloc::rc::Rc") return counted("value");
    if (name == "alloc::sync::Arc") return counted("data");
    return false;
  }

 private:
  // Others of two words: pointers to structures that end in a slice.
  bool is_slice() const {
    std::string_view name = type_.name;
    for (const std::string_view prefix : {"&", "*", "mut ", "const "})
      if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    return name.starts_with("[") || name.starts_with("alloc::boxed::Box<[");
  }
  bool has(const char* member) { return describer_.reader().has_member(type_, member); }

  // Niche types and wrappers of one number: the innermost one.
  std::optional<uint64_t> plain_number(Value value) {
    for (int step = 0; step < 8; ++step) {
      const Type& type = value.type->stripped();
      if (type.is_integer() || type.is_pointer()) {
        const auto bits = describer_.reader().read_integer(value);
        return bits ? std::optional(*bits) : std::nullopt;
      }
      const Member* only = nullptr;
      for (const Member& one : type.members())
        if (one.type && one.type->stripped().size == type.size) only = &one;
      if (!only) return std::nullopt;
      const auto inner = describer_.reader().member(value, *only);
      if (!inner) return std::nullopt;
      value = *inner;
    }
    return std::nullopt;
  }
  std::optional<uint64_t> number(std::initializer_list<const char*> path) {
    const auto place = describer_.get(value_, path);
    return place ? plain_number(*place) : std::nullopt;
  }

  bool fill(const Type* element, uint64_t count, const std::function<uint64_t(uint64_t)>& at) {
    if (!element || !element->stripped().has_size || count > kMaximumElements) return false;
    to_.elements = true;
    to_.count = count;
    const auto [first, end] = describer_.window(count, depth_);
    to_.first = first;
    for (uint64_t index = first; index < end; ++index)
      if (!describer_.add_element(to_, index, Value::in_memory(element, at(index)), depth_)) break;
    return true;
  }
  bool contiguous(const Type* element, uint64_t start, uint64_t count) {
    const uint64_t size = element ? element->stripped().size : 0;
    return fill(element, count, [=](uint64_t index) { return start + index * size; });
  }

  bool slice(bool text) {
    const auto pointer = describer_.get(value_, {"data_ptr"});
    const auto length = number({"length"});
    if (!pointer || !length || !pointer->type->stripped().is_pointer()) return false;
    const auto start = describer_.reader().read_integer(*pointer);
    if (!start || *length > kMaximumElements) return false;
    if (text) {
      to_.text = describer_.memory_string(*start, *length, {});
      return true;
    }
    return contiguous(pointer->type->stripped().target(), *start, *length);
  }

  // A RawVec's memory: its pointer, or in newer libraries an inner one without the element's type.
  std::optional<uint64_t> buffer(const Value& raw) {
    for (const auto& path : {std::initializer_list<const char*>{"ptr"}, {"inner", "ptr"}})
      if (const auto pointer = describer_.get(raw, path)) return plain_number(*pointer);
    return std::nullopt;
  }
  std::optional<uint64_t> capacity(const Value& raw) {
    for (const auto& path : {std::initializer_list<const char*>{"cap"}, {"inner", "cap"}})
      if (const auto place = describer_.get(raw, path)) return plain_number(*place);
    return std::nullopt;
  }

  bool string() {
    const auto raw = describer_.get(value_, {"vec", "buf"});
    const auto length = number({"vec", "len"});
    if (!raw || !length || *length > kMaximumElements) return false;
    const auto start = buffer(*raw), room = capacity(*raw);
    if (!start || !room || *room < *length) return false;
    to_.text = describer_.memory_string(*start, *length, {});
    return true;
  }

  bool vector() {
    const auto raw = describer_.get(value_, {"buf"});
    const auto length = number({"len"});
    const Type* element = argument(type_, 0);
    if (!raw || !length || !element) return false;
    const auto start = buffer(*raw), room = capacity(*raw);
    if (!start || !room || (*room < *length && element->stripped().size != 0)) return false;
    return contiguous(element, *start, *length);
  }

  bool ring() {
    const auto raw = describer_.get(value_, {"buf"});
    const Type* element = argument(type_, 0);
    auto head = number({"head"}), length = number({"len"});
    const auto tail = number({"tail"});
    if (!raw || !head || !element) return false;
    const auto start = buffer(*raw), room = capacity(*raw);
    if (!start || !room || *room == 0) return false;
    if (!length) {  // before 1.67: head is the end, the capacity a power of two
      if (!tail) return false;
      length = (*head - *tail) & (*room - 1);
      head = tail;
    }
    if (*length > *room || *head >= *room) return false;
    const uint64_t size = element->stripped().size;
    return fill(element, *length, [=](uint64_t index) { return *start + (*head + index) % *room * size; });
  }

  // hashbrown: a control byte a bucket, its top bit clear if it is full; the buckets stand below the control bytes,
  // the first one nearest.
  bool hashed(std::initializer_list<const char*> path, bool keyed) {
    const auto table = describer_.get(value_, path);
    if (!table) return false;
    const Type* element = argument(table->type->stripped(), 0);
    Value inner = *table;
    if (const auto deeper = describer_.get(*table, {"table"})) inner = *deeper;
    const auto control_place = describer_.get(inner, {"ctrl"});
    const auto mask = describer_.number(inner, {"bucket_mask"}), items = describer_.number(inner, {"items"});
    const auto control = control_place ? plain_number(*control_place) : std::nullopt;
    if (!element || !control || !mask || !items || *mask >= kMaximumBuckets || *items > *mask + 1) return false;
    const uint64_t size = element->stripped().size;
    const auto bytes = describer_.reader().read_memory(*control, *mask + 1);
    if (!bytes) return false;
    std::vector<uint64_t> full;
    for (uint64_t index = 0; index <= *mask; ++index)
      if (((*bytes)[index] & 0x80) == 0) full.push_back(index);
    if (full.size() != *items) to_.note = fmt::format("broken: it says {} elements and holds {}", *items, full.size());
    to_.elements = true;
    to_.keyed = keyed;
    to_.count = full.size();
    const auto [first, end] = describer_.window(full.size(), depth_);
    to_.first = first;
    for (uint64_t index = first; index < end; ++index) {
      const Value pair = Value::in_memory(element, *control - (full[index] + 1) * size);
      const auto key = describer_.get(pair, {"__0"}), mapped = describer_.get(pair, {"__1"});
      if (!key || (keyed && !mapped)) return false;
      if (!describer_.add_element(to_, index, keyed ? *mapped : *key, depth_)) break;
      if (keyed) to_.children.back().name = "[" + value_text(describer_.node(*key, "", depth_ + 1)) + "]";
    }
    return true;
  }

  // A B-tree: leaves, and inner nodes that begin as a leaf does and have their edges behind it.
  struct Tree {
    uint64_t count_offset = 0, keys_offset = 0, values_offset = 0, edges_offset = 0;  // in a node
    uint64_t key_size = 0, value_size = 0, wanted = 0;
    std::vector<std::pair<uint64_t, uint64_t>> found;  // keys' and values' addresses, in order
  };
  // False: it is broken, or not all there.
  bool walk(Tree& tree, uint64_t node, uint64_t height) {
    constexpr uint64_t kCapacity = 11, kHighest = 24;
    const auto bytes = describer_.reader().read_memory(node + tree.count_offset, 2);
    const uint64_t count = bytes ? static_cast<uint64_t>((*bytes)[0] | (*bytes)[1] << 8) : kCapacity + 1;
    if (count > kCapacity || height > kHighest) return false;
    for (uint64_t index = 0; index <= count && tree.found.size() < tree.wanted; ++index) {
      if (height > 0) {
        const auto edge = word(node + tree.edges_offset + 8 * index);
        if (!edge || !walk(tree, *edge, height - 1)) return false;
      }
      if (index < count)
        tree.found.emplace_back(node + tree.keys_offset + index * tree.key_size,
                                node + tree.values_offset + index * tree.value_size);
    }
    return true;
  }

  // `mapped`: null: a set.
  bool tree(const Value& map, const Type* mapped) {
    const Type* key = argument(type_, 0);
    const auto length_place = describer_.get(map, {"length"});
    const auto length = length_place ? plain_number(*length_place) : std::nullopt;
    if (!length || *length > kMaximumElements || !key || !key->stripped().has_size) return false;
    const auto [first, end] = describer_.window(*length, depth_);
    Tree tree;
    tree.key_size = key->stripped().size;
    tree.value_size = mapped ? mapped->stripped().size : 0;
    tree.wanted = end;
    bool is_whole = true;
    if (*length > 0) {
      const auto root = describer_.get(map, {"root", "Some", "__0"});
      const auto height_place = root ? describer_.get(*root, {"height"}) : std::nullopt;
      const auto pointer = root ? describer_.get(*root, {"node", "pointer"}) : std::nullopt;
      const auto height = height_place ? plain_number(*height_place) : std::nullopt;
      const auto node = pointer ? plain_number(*pointer) : std::nullopt;
      const Type* leaf =
          pointer && pointer->type->stripped().is_pointer() ? pointer->type->stripped().target() : nullptr;
      if (!height || !node || !leaf || !leaf->stripped().has_size) return false;
      int known = 0;
      for (const Member& one : leaf->stripped().members())
        for (const auto& [name, offset] : {std::pair{"len", &tree.count_offset}, std::pair{"keys", &tree.keys_offset},
                                           std::pair{"vals", &tree.values_offset}})
          if (one.name == name) *offset = one.bit_offset / 8, ++known;
      if (known != 3) return false;
      tree.edges_offset = leaf->stripped().size;
      is_whole = walk(tree, *node, *height);
    }
    to_.elements = true;
    to_.keyed = mapped != nullptr;
    to_.count = *length;
    to_.first = first;
    if (!is_whole || tree.found.size() < end) to_.note = "broken: the rest cannot be followed";
    for (uint64_t index = first; index < std::min<uint64_t>(end, tree.found.size()); ++index) {
      const Value its_key = Value::in_memory(key, tree.found[index].first);
      const Value value = mapped ? Value::in_memory(mapped, tree.found[index].second) : its_key;
      if (!describer_.add_element(to_, index, value, depth_)) break;
      if (mapped) to_.children.back().name = "[" + value_text(describer_.node(its_key, "", depth_ + 1)) + "]";
    }
    return true;
  }

  bool counted(const char* content) {
    const auto holder = describer_.get(value_, {"ptr"});
    if (!holder) return false;
    auto pointer = describer_.get(*holder, {"pointer"});
    const auto length = number({"ptr", "pointer", "length"});  // Rc<str>, Rc<[T]>
    if (length) pointer = describer_.get(*pointer, {"data_ptr"});
    const auto address = pointer ? plain_number(*pointer) : std::nullopt;
    if (!address || !pointer->type->stripped().is_pointer()) return false;  // of a trait object: two words
    const auto box = describer_.reader().dereference(*pointer);
    if (!box) return false;
    const auto strong = describer_.get(*box, {"strong"}), weak = describer_.get(*box, {"weak"});
    const auto inner = describer_.get(*box, {content});
    if (!strong || !weak || !inner) return false;
    const auto strong_count = plain_number(*strong), weak_count = plain_number(*weak);
    to_.text = fmt::format("{:#x}", *address);
    if (!strong_count || !weak_count) {
      to_.note = "its counters are not in the dump";
      return true;
    }
    to_.note = fmt::format("strong {}, weak {}", *strong_count, *weak_count - 1);
    if (length) {
      if (!inner->address || *length > kMaximumElements) return false;
      const bool is_text = type_.name.find("<str") != std::string::npos;
      to_.text = is_text ? describer_.memory_string(*inner->address, *length, {}) : "";
      return is_text || contiguous(inner->type, *inner->address, *length);
    }
    describer_.follow(to_, Value::of_bytes(describer_.program().pointer_to(inner->type), address_bytes(*inner)),
                      depth_);
    return true;
  }
  static std::vector<uint8_t> address_bytes(const Value& value) {
    std::vector<uint8_t> bytes(8);
    const uint64_t address = value.address.value_or(0);
    for (int index = 0; index < 8; ++index)
      bytes[static_cast<size_t>(index)] = static_cast<uint8_t>(address >> 8 * index);
    return bytes;
  }

  // "Some(5)", "Rectangle {width = 1, height = 2}", "None"
  bool enumeration() {
    const auto active = describer_.reader().active_variant(value_);
    if (!active) {
      to_.known = false;
      to_.text = missing_text(active.error());
      return true;
    }
    if (!*active || (*active)->members.size() != 1) return false;
    const Member& variant = (*active)->members.front();
    const auto content = describer_.reader().member(value_, variant);
    if (!content) return false;
    to_.text = variant.name;
    const ValueNode inner = describer_.node(*content, "", depth_ + 1);
    if (!inner.known) {
      to_.known = false;
      to_.text += " " + inner.text;
    }
    to_.children = inner.children;
    return true;
  }
};

}  // namespace

bool describe_rust(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth) {
  return RustContainer(describer, value, type, to, depth).run();
}

}  // namespace mortem::inspector
