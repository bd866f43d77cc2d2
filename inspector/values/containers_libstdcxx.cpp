// GNU's C++ library, the layouts of its ABI since GCC 5 (bits/stl_*.h, bits/hashtable.h of libstdc++).
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "inspector/values/describer.h"

namespace mortem::inspector {
namespace {

constexpr size_t kMaximumListSteps = 1'000'000;  // of a walk over nodes

// "std::vector" of "std::vector<int, std::allocator<int> >"; the library's inline namespaces left out.
std::string template_name(const Type& type) {
  std::string name = type.name.substr(0, type.name.find('<'));
  for (const std::string_view part : {"__cxx11::", "__debug::"})
    if (const size_t at = name.find(part); at != std::string::npos) name.erase(at, part.size());
  return name;
}

class LibstdcxxContainer : Container {
 public:
  using Container::Container;

  bool run() {
    const std::string name = template_name(type_);
    if (!name.starts_with("std::")) return false;
    const std::string_view kind = std::string_view(name).substr(5);
    if (kind == "basic_string") return text();
    if (kind == "basic_string_view") return string_view();
    if (kind == "vector") return vector();
    if (kind == "array") return elements_of({"_M_elems"});
    if (kind == "span") return span();
    if (kind == "deque") return deque();
    if (kind == "list") return list();
    if (kind == "forward_list") return forward_list();
    if (kind == "map" || kind == "multimap") return tree(true);
    if (kind == "set" || kind == "multiset") return tree(false);
    if (kind == "unordered_map" || kind == "unordered_multimap") return hashed(true);
    if (kind == "unordered_set" || kind == "unordered_multiset") return hashed(false);
    if (kind == "unique_ptr") return unique_pointer();
    if (kind == "shared_ptr" || kind == "weak_ptr") return shared_pointer();
    if (kind == "optional") return optional();
    if (kind == "any") {
      return held({"_M_manager"}, "::_S_manage", "std::any::_Manager_internal<", {"_M_storage"},
                  "std::any::_Manager_external<", {"_M_storage", "_M_ptr"});
    }
    if (kind == "bitset") return bits_of({"_M_w"});
    if (kind == "variant") return variant();
    if (kind == "tuple") return tuple();
    if (kind == "stack" || kind == "queue" || kind == "priority_queue") return wrapped({"c"});
    if (kind == "atomic") return wrapped({"_M_i"}) || wrapped({"_M_base", "_M_i"});
    if (kind == "filesystem::path" || kind == "filesystem::__cxx11::path") return wrapped({"_M_pathname"});
    return false;
  }

 private:
  bool text() {
    auto pointer = describer_.get(value_, {"_M_dataplus", "_M_p"});
    if (!pointer) pointer = undescribed_pointer();
    if (!pointer) return false;
    const auto address = describer_.reader().read_integer(*pointer);
    auto length = describer_.number(value_, {"_M_string_length"});
    if (!address) return false;
    // Before GCC 5: the length stands in front of the characters (_Rep).
    if (!length && *address > 24) length = describer_.reader().memory().read_word(*address - 24);
    const auto kind = character_kind(pointer->type->stripped().target());
    if (!length || *length > kMaximumElements || !kind) return false;
    to_.text = describer_.memory_string(*address, *length, *kind);
    return true;
  }

  // Clang leaves to the library's own debug information what it compiles itself: a standard allocator's string begins
  // with the pointer.
  std::optional<Value> undescribed_pointer() {
    const auto holder = describer_.get(value_, {"_M_dataplus"});
    const Type *character = argument(type_, 0), *allocator = argument(type_, 2);
    if (!holder || !holder->type || !holder->type->stripped().declaration || !character || !allocator ||
        !allocator->stripped().name.starts_with("std::allocator<"))
      return std::nullopt;
    return describer_.reader().as(*holder, describer_.program().pointer_to(character));
  }

  bool string_view() {
    const auto pointer = describer_.get(value_, {"_M_str"});
    const auto length = describer_.number(value_, {"_M_len"});
    if (!pointer || !length || *length > kMaximumElements) return false;
    const auto address = describer_.reader().read_integer(*pointer);
    const auto kind = character_kind(pointer->type->stripped().target());
    if (!address || !kind) return false;
    to_.text = describer_.memory_string(*address, *length, *kind);
    return true;
  }

  bool vector() {
    const auto first = describer_.get(value_, {"_M_impl", "_M_start"});
    if (!first) return false;
    if (first->type->stripped().is_struct()) return bits();
    const auto start = describer_.reader().read_integer(*first);
    const auto finish = describer_.number(value_, {"_M_impl", "_M_finish"});
    const auto capacity = describer_.number(value_, {"_M_impl", "_M_end_of_storage"});
    const Type* element = first->type->stripped().target();
    const uint64_t size = size_of(element);
    if (!start || !finish || !capacity || size == 0 || *finish < *start || *capacity < *finish ||
        (*finish - *start) % size != 0)
      return false;
    return contiguous(element, *start, (*finish - *start) / size);
  }

  bool bits() {  // vector<bool>
    const auto start = describer_.number(value_, {"_M_impl", "_M_start", "_M_p"});
    const auto finish = describer_.number(value_, {"_M_impl", "_M_finish", "_M_p"});
    const auto offset = describer_.number(value_, {"_M_impl", "_M_finish", "_M_offset"});
    if (!start || !finish || !offset || *finish < *start || *offset > 63) return false;
    const Type* boolean = describer_.program().base("bool", TypeKind::Boolean, 1);
    return fill((*finish - *start) * 8 + *offset, [&](uint64_t index) {
      Value value = Value::in_memory(boolean, *start + index / 8);
      value.bit_shift = index % 8;
      value.bit_size = 1;
      return value;
    });
  }

  bool span() {
    const auto pointer = describer_.get(value_, {"_M_ptr"});
    auto length = describer_.number(value_, {"_M_extent", "_M_extent_value"});
    if (!length) length = last_argument_number();  // its own length, in the type
    if (!pointer || !length) return false;
    const auto start = describer_.reader().read_integer(*pointer);
    return start && contiguous(pointer->type->stripped().target(), *start, *length);
  }

  bool deque() {
    const auto current = describer_.get(value_, {"_M_impl", "_M_start", "_M_cur"});
    if (!current) return false;
    const Type* element = current->type->stripped().target();
    const uint64_t size = size_of(element);
    const auto cur = describer_.reader().read_integer(*current);
    const auto first = describer_.number(value_, {"_M_impl", "_M_start", "_M_first"});
    const auto node = describer_.number(value_, {"_M_impl", "_M_start", "_M_node"});
    const auto end_cur = describer_.number(value_, {"_M_impl", "_M_finish", "_M_cur"});
    const auto end_first = describer_.number(value_, {"_M_impl", "_M_finish", "_M_first"});
    const auto end_node = describer_.number(value_, {"_M_impl", "_M_finish", "_M_node"});
    if (!cur || !first || !node || !end_cur || !end_first || !end_node || size == 0 || *end_node < *node ||
        *cur < *first || *end_cur < *end_first || (*cur - *first) % size != 0 || (*end_cur - *end_first) % size != 0 ||
        (*end_node - *node) % 8 != 0)
      return false;
    const uint64_t a_node = size < 512 ? 512 / size : 1, skipped = (*cur - *first) / size;
    const uint64_t all = (*end_node - *node) / 8 * a_node + (*end_cur - *end_first) / size;
    if (all < skipped) return false;
    return fill(all - skipped, [&](uint64_t index) -> std::optional<Value> {
      const uint64_t place = skipped + index;
      const auto block = describer_.reader().memory().read_word(*node + place / a_node * 8);
      if (!block) return std::nullopt;
      return Value::in_memory(element, *block + place % a_node * size);
    });
  }

  // Nodes one after another, each `head` bytes and its value: `next` leads from a node to the one behind it, 0 at the
  // end.
  bool chain(const Type* element, uint64_t start, uint64_t count, uint64_t head, bool keyed,
             const std::function<std::optional<uint64_t>(uint64_t)>& next) {
    const auto value_offset = aligned(head, element);
    if (!value_offset || size_of(element) == 0 || count > kMaximumElements) return false;
    to_.elements = true;
    to_.keyed = keyed;
    to_.count = count;
    const auto [first, end] = describer_.window(count, depth_);
    to_.first = first;
    uint64_t node = start;
    for (uint64_t index = 0; index < end && index < kMaximumListSteps; ++index) {
      if (node == 0) {
        to_.note = fmt::format("broken: it says {} elements and holds {}", count, index);
        break;
      }
      if (index >= first && !add(index, Value::in_memory(element, node + *value_offset), keyed)) break;
      const auto following = next(node);
      if (!following) {
        to_.note = fmt::format("broken behind element {}: its node is not in the dump", index);
        break;
      }
      node = *following;
    }
    return true;
  }

  bool add(uint64_t index, const Value& value, bool keyed) {
    if (!keyed) return describer_.add_element(to_, index, value, depth_);
    // A pair of a map: its key names its value.
    const auto key = describer_.get(value, {"first"}), mapped = describer_.get(value, {"second"});
    if (!key || !mapped) return describer_.add_element(to_, index, value, depth_);
    const std::string name = value_text(describer_.node(*key, "", depth_ + 1));
    if (!describer_.add_element(to_, index, *mapped, depth_)) return false;
    to_.children.back().name = "[" + name + "]";
    return true;
  }

  bool list() {
    const auto node = describer_.get(value_, {"_M_impl", "_M_node"});
    const Type* element = argument(type_, 0);
    if (!node || !node->address || !element) return false;
    const uint64_t head = *node->address;
    auto count = describer_.number(value_, {"_M_impl", "_M_node", "_M_size"});
    const auto first = word(head);
    if (!first) return false;
    auto next = [&](uint64_t at) -> std::optional<uint64_t> {
      const auto following = word(at);
      return following && *following == head ? std::optional<uint64_t>(0) : following;
    };
    if (!count) return false;
    return chain(element, *first == head ? 0 : *first, *count, 16, false, next);
  }

  bool forward_list() {
    const Type* element = argument(type_, 0);
    const auto first = describer_.number(value_, {"_M_impl", "_M_head", "_M_next"});
    if (!first || !element) return false;
    uint64_t count = 0;
    for (uint64_t node = *first; node != 0 && count < kMaximumListSteps; ++count) {
      const auto following = word(node);
      if (!following) break;
      node = *following;
    }
    return chain(element, *first, count, 8, false, [&](uint64_t at) { return word(at); });
  }

  // The red-black tree (bits/stl_tree.h): a node is colour, parent, left, right, then the value.
  bool tree(bool keyed) {
    const auto whole = describer_.get(value_, {"_M_t"});
    const auto header = describer_.get(value_, {"_M_t", "_M_impl", "_M_header"});
    const auto count = describer_.number(value_, {"_M_t", "_M_impl", "_M_node_count"});
    if (!whole || !header || !header->address || !count) return false;
    const Type* element = argument(whole->type->stripped(), 1);
    const uint64_t end = *header->address;
    const auto leftmost = word(end + 16);
    if (!element || !leftmost) return false;
    auto next = [&](uint64_t node) -> std::optional<uint64_t> {
      const auto right = word(node + 24);
      if (!right) return std::nullopt;
      if (*right != 0) {
        uint64_t at = *right;
        for (size_t steps = 0; steps < 128; ++steps) {  // no tree that fits in memory is deeper
          const auto left = word(at + 16);
          if (!left) return std::nullopt;
          if (*left == 0) return at;
          at = *left;
        }
        return std::nullopt;
      }
      uint64_t child = node;
      for (size_t steps = 0; steps < 128; ++steps) {
        const auto parent = word(child + 8);
        if (!parent) return std::nullopt;
        if (*parent == end) return 0;
        const auto its_right = word(*parent + 24);
        if (!its_right) return std::nullopt;
        if (*its_right != child) return *parent;
        child = *parent;
      }
      return std::nullopt;
    };
    // The last one's successor is the header; by then all have been counted.
    return chain(element, *count == 0 ? 0 : *leftmost, *count, 32, keyed,
                 [&](uint64_t node) -> std::optional<uint64_t> {
                   if (const auto rightmost = word(end + 24); rightmost && *rightmost == node) return 0;
                   return next(node);
                 });
  }

  bool hashed(bool keyed) {
    const auto table = describer_.get(value_, {"_M_h"});
    const auto first = describer_.number(value_, {"_M_h", "_M_before_begin", "_M_nxt"});
    const auto count = describer_.number(value_, {"_M_h", "_M_element_count"});
    if (!table || !first || !count) return false;
    return chain(argument(table->type->stripped(), 1), *first, *count, 8, keyed, [&](uint64_t at) { return word(at); });
  }

  // Head and rest of a tuple are bases, the last of them first in memory.
  void collect_tuple(const Value& value, const Type& type, std::vector<Value>& to, int depth) {
    if (depth > 64) return;
    const Member* rest = nullptr;
    for (const Member& one : type.members()) {
      if (!one.base || !one.type) continue;
      const std::string name = template_name(one.type->stripped());
      if (name == "std::_Tuple_impl") rest = &one;
      if (name != "std::_Head_base") continue;
      const auto base = describer_.reader().member(value, one);
      if (!base) continue;
      const auto head = describer_.get(*base, {"_M_head_impl"});
      to.push_back(head ? *head : *base);  // an empty class is a base itself
    }
    if (!rest) return;
    if (const auto inner = describer_.reader().member(value, *rest))
      collect_tuple(*inner, rest->type->stripped(), to, depth + 1);
  }

  bool tuple() {
    std::vector<Value> parts;
    collect_tuple(value_, type_, parts, 0);
    if (parts.empty() && size_of(&type_) > 1) return false;
    return fill(parts.size(), [&](uint64_t index) { return std::optional(parts[index]); });
  }

  bool unique_pointer() {
    auto holder = describer_.get(value_, {"_M_t", "_M_t"});
    if (!holder) return false;
    std::vector<Value> parts;
    collect_tuple(*holder, holder->type->stripped(), parts, 0);
    if (parts.empty() || !parts[0].type->stripped().is_pointer()) return false;
    const auto address = describer_.reader().read_integer(parts[0]);
    if (!address) return false;
    to_.text = fmt::format("{:#x}", *address);
    describer_.follow(to_, parts[0], depth_);
    return true;
  }

  bool shared_pointer() {
    const auto pointer = describer_.get(value_, {"_M_ptr"});
    const auto counter = describer_.get(value_, {"_M_refcount", "_M_pi"});
    if (!pointer || !counter) return false;
    const auto address = describer_.reader().read_integer(*pointer), block = describer_.reader().read_integer(*counter);
    if (!address || !block) return false;
    to_.text = fmt::format("{:#x}", *address);
    uint64_t uses = 0;
    if (*block != 0) {
      const Found<Value> counts = describer_.reader().dereference(*counter);
      const auto use = counts ? describer_.number(*counts, {"_M_use_count"}) : std::nullopt;
      const auto weak = counts ? describer_.number(*counts, {"_M_weak_count"}) : std::nullopt;
      if (!use || !weak) {
        to_.note = "its counters are not in the dump";
        return true;
      }
      uses = use.value_or(0);
      const uint64_t weak_uses = weak.value_or(0), shared = uses > 0 ? 1 : 0;  // all users together hold one weak count
      if (weak_uses < shared)
        to_.note = fmt::format("broken: use count {}, but no weak count", uses);
      else
        to_.note = fmt::format("use count {}, weak count {}", uses, weak_uses - shared);
    }
    if (uses > 0) describer_.follow(to_, *pointer, depth_);
    return true;
  }

  bool optional() {
    const auto engaged = describer_.number(value_, {"_M_payload", "_M_engaged"});
    if (!engaged || *engaged > 1) return false;
    if (*engaged == 0) {
      to_.text = "std::nullopt";
      return true;
    }
    const auto inner = describer_.get(value_, {"_M_payload", "_M_payload", "_M_value"});
    return inner && show(*inner);
  }

  bool variant() {
    const auto index = describer_.number(value_, {"_M_index"});
    auto at = describer_.get(value_, {"_M_u"});
    if (!index || !at) return false;
    const uint64_t none = size_of(describer_.get(value_, {"_M_index"})->type) == 1 ? 0xFF : ~uint64_t{0};
    if (*index == none) {
      to_.text = "(valueless)";
      return true;
    }
    if (*index > 255) return false;
    for (uint64_t step = 0; step < *index; ++step) {
      at = describer_.get(*at, {"_M_rest"});
      if (!at) return false;
    }
    const auto first = describer_.get(*at, {"_M_first"});
    if (!first) return false;
    const auto storage = describer_.get(*first, {"_M_storage"});
    const Type* alternative = argument(first->type->stripped(), 0);
    if (!storage || !alternative) return false;
    return show(describer_.reader().as(*storage, alternative), fmt::format("index {}", *index));
  }
};

}  // namespace

bool describe_libstdcxx(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth) {
  return LibstdcxxContainer(describer, value, type, to, depth).run();
}

}  // namespace mortem::inspector
