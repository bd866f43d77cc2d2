// LLVM's C++ library: the layouts of libc++ 14 to 19 (its headers <string>, __hash_table, __tree, …).
#include <fmt/format.h>

#include <functional>
#include <string_view>

#include "inspector/values/describer.h"

namespace mortem::inspector {
namespace {

constexpr size_t kMostLibcxxSteps = 1'000'000;

class LibcxxContainer : Container {
 public:
  using Container::Container;

  bool run() {
    const std::string name = type_.name.substr(0, type_.name.find('<'));
    if (!name.starts_with("std::__1::")) return false;
    const std::string_view kind = std::string_view(name).substr(10);
    if (kind == "basic_string") return text();
    if (kind == "basic_string_view") return string_view();
    if (kind == "vector") return vector();
    if (kind == "list") return list();
    if (kind == "forward_list") return forward_list();
    if (kind == "deque") return deque();
    if (kind == "tuple") return tuple();
    if (kind == "variant") return variant();
    if (kind == "map" || kind == "multimap") return tree(true);
    if (kind == "set" || kind == "multiset") return tree(false);
    if (kind == "unordered_map" || kind == "unordered_multimap") return hashed(true);
    if (kind == "unordered_set" || kind == "unordered_multiset") return hashed(false);
    if (kind == "shared_ptr" || kind == "weak_ptr") return shared_pointer();
    if (kind == "unique_ptr") return unique_pointer();
    if (kind == "optional") return optional();
    // That of no elements holds room for one.
    if (kind == "array")
      return last_argument_number() == 0 ? contiguous(argument(type_, 0), 0, 0) : elements_of({"__elems_"});
    if (kind == "span") return span();
    if (kind == "bitset") return bits_of({"__first_"});
    if (kind == "any") {
      return held({"__h"}, "::__handle", "std::__1::__any_imp::_SmallHandler<", {"__s", "__buf"},
                  "std::__1::__any_imp::_LargeHandler<", {"__s", "__ptr"});
    }
    if (kind == "stack" || kind == "queue" || kind == "priority_queue") return wrapped({"c"});
    if (kind == "atomic") return wrapped({"__a_", "__a_value"});
    if (kind == "__fs::filesystem::path") return wrapped({"__pn_"});
    return false;
  }

 private:
  std::optional<uint64_t> integer(const Value& value) {
    const auto bits = describer_.reader().read_integer(value);
    return bits ? std::optional(*bits) : std::nullopt;
  }
  // Until libc++ 19 what may be empty stands in a pair of bases, of which the first holds the value.
  Value unpaired(const Value& value) {
    const auto inner = describer_.get(value, {"__value_"});
    return inner ? *inner : value;
  }

  bool text() {
    const auto outer = describer_.get(value_, {"__r_"});
    const auto whole = outer ? std::optional(unpaired(*outer)) : describer_.get(value_, {"__rep_"});
    if (!whole) return false;
    const auto short_form = describer_.get(*whole, {"__s"}), long_form = describer_.get(*whole, {"__l"});
    if (!short_form || !long_form) return false;
    const auto data = describer_.get(*long_form, {"__data_"});
    const auto inside = describer_.get(*short_form, {"__data_"});
    if (!data || !inside || !inside->address) return false;
    const auto kind = character_kind(data->type->stripped().target());
    auto short_size = describer_.number(*short_form, {"__size_"});
    if (!short_size || !kind) return false;
    bool is_long;
    if (const auto flag = describer_.number(*short_form, {"__is_long_"})) {
      is_long = *flag != 0;
    } else {  // before libc++ 15 the lowest bit of the size
      is_long = (*short_size & 1) != 0;
      *short_size >>= 1;
    }
    const auto address = is_long ? integer(*data) : inside->address;
    const auto length = is_long ? describer_.number(*long_form, {"__size_"}) : short_size;
    if (!address || !length || *length > kMaximumElements || (!is_long && *length * kind->size > 23)) return false;
    to_.text = describer_.memory_string(*address, *length, *kind);
    return true;
  }

  bool string_view() {
    auto data = describer_.get(value_, {"__data_"}), length = describer_.get(value_, {"__size_"});
    if (!data) data = describer_.get(value_, {"__data"}), length = describer_.get(value_, {"__size"});  // until 16
    const auto address = data ? integer(*data) : std::nullopt, count = length ? integer(*length) : std::nullopt;
    if (!address || !count || *count > kMaximumElements) return false;
    const auto kind = character_kind(data->type->stripped().target());
    if (!kind) return false;
    to_.text = describer_.memory_string(*address, *count, *kind);
    return true;
  }

  bool vector() {
    const auto begin = describer_.get(value_, {"__begin_"});
    if (!begin) return false;
    if (!describer_.reader().has_member(type_, "__end_")) {  // vector<bool>: a size in bits
      const auto start = integer(*begin), count = describer_.number(value_, {"__size_"});
      if (!start || !count || *count > kMaximumElements) return false;
      const Type* boolean = describer_.program().base("bool", TypeKind::Boolean, 1);
      return fill(*count, [&](uint64_t index) {
        Value value = Value::in_memory(boolean, *start + index / 8);
        value.bit_shift = index % 8;
        value.bit_size = 1;
        return value;
      });
    }
    const Type* element = begin->type->stripped().target();
    const auto start = integer(*begin), end = describer_.number(value_, {"__end_"});
    const uint64_t size = size_of(element);
    if (!start || !end || size == 0 || *end < *start || (*end - *start) % size != 0) return false;
    return fill((*end - *start) / size,
                [&](uint64_t index) { return Value::in_memory(element, *start + index * size); });
  }

  // `head`: bytes of a node before its value, which may stand in the padding behind them.
  bool chain(const Type* element, uint64_t start, uint64_t count, uint64_t head, bool keyed,
             const std::function<std::optional<uint64_t>(uint64_t)>& next) {
    const auto value_offset = aligned(head, element);
    if (!value_offset || !element->stripped().has_size || count > kMaximumElements) return false;
    to_.elements = true;
    to_.keyed = keyed;
    to_.count = count;
    const auto [first, end] = describer_.window(count, depth_);
    to_.first = first;
    uint64_t node = start;
    for (uint64_t index = 0; index < end && index < kMostLibcxxSteps; ++index) {
      if (node == 0) {
        to_.note = fmt::format("broken: it says {} elements and holds {}", count, index);
        break;
      }
      const Value value = Value::in_memory(element, node + *value_offset);
      const auto key = keyed ? describer_.get(value, {"first"}) : std::nullopt;
      const auto mapped = keyed ? describer_.get(value, {"second"}) : std::nullopt;
      if (index >= first) {
        if (!describer_.add_element(to_, index, mapped ? *mapped : value, depth_)) break;
        if (key) to_.children.back().name = "[" + value_text(describer_.node(*key, "", depth_ + 1)) + "]";
      }
      const auto following = next(node);
      if (!following) {
        to_.note = fmt::format("broken behind element {}: its node is not in the dump", index);
        break;
      }
      node = *following;
    }
    return true;
  }

  bool list() {
    const auto end = describer_.get(value_, {"__end_"});
    const auto size = describer_.get(value_, {"__size_alloc_"});
    const auto count = size ? integer(unpaired(*size)) : describer_.number(value_, {"__size_"});
    if (!end || !end->address || !count) return false;
    const auto first = word(*end->address + 8);
    if (!first) return false;
    return chain(argument(type_, 0), *first == *end->address ? 0 : *first, *count, 16, false,
                 [&](uint64_t at) -> std::optional<uint64_t> {
                   const auto next = word(at + 8);
                   return next && *next == *end->address ? std::optional<uint64_t>(0) : next;
                 });
  }

  bool forward_list() {
    const auto start = describer_.get(value_, {"__before_begin_"});
    const auto first = start ? describer_.number(unpaired(*start), {"__next_"}) : std::nullopt;
    if (!first) return false;
    uint64_t count = 0;  // stands nowhere
    for (uint64_t node = *first; node != 0 && count < kMostLibcxxSteps; ++count) {
      const auto following = word(node);
      if (!following) break;
      node = *following;
    }
    return chain(argument(type_, 0), *first, count, 8, false, [&](uint64_t at) { return word(at); });
  }

  // Blocks of 4 KiB, or of 16 elements where those are large; the first element stands somewhere in the first block.
  bool deque() {
    const Type* element = argument(type_, 0);
    const uint64_t size = element && element->stripped().has_size ? element->stripped().size : 0;
    const auto begin = describer_.number(value_, {"__map_", "__begin_"});
    const auto end = describer_.number(value_, {"__map_", "__end_"});
    const auto start = describer_.number(value_, {"__start_"});
    const auto held = describer_.get(value_, {"__size_"});
    if (size == 0 || !begin || !end || *end < *begin || !start || !held) return false;
    const uint64_t count = integer(unpaired(*held)).value_or(kMaximumElements + 1);
    const uint64_t in_block = size < 256 ? 4096 / size : 16;
    if (count > kMaximumElements || *start > kMaximumElements) return false;
    if ((*start + count + in_block - 1) / in_block > (*end - *begin) / 8) return false;
    return fill(count, [&](uint64_t index) {
      const uint64_t place = *start + index;
      const auto block = word(*begin + place / in_block * 8);
      return block ? Value::in_memory(element, *block + place % in_block * size)
                   : Value::unknown(element, {false, "its block is not in the dump"});
    });
  }

  // Its length is in the type where it has one of its own.
  bool span() {
    auto pointer = describer_.get(value_, {"__data"});
    if (!pointer) pointer = describer_.get(value_, {"__data_"});  // from 16 on
    if (!pointer) return false;
    auto length = describer_.number(value_, {"__size"});
    if (!length) length = describer_.number(value_, {"__size_"});
    if (!length) length = last_argument_number();
    const auto start = integer(*pointer);
    return start && length && contiguous(pointer->type->stripped().target(), *start, *length);
  }

  // Leaves are bases, in the order of the tuple; an empty class is the leaf's base itself.
  bool tuple() {
    const auto whole = describer_.get(value_, {"__base_"});
    if (!whole || !whole->type) return false;
    std::vector<Value> parts;
    for (const Member& one : whole->type->stripped().members()) {
      if (!one.base || !one.type || !one.type->stripped().name.starts_with("std::__1::__tuple_leaf<")) continue;
      const auto leaf = describer_.reader().member(*whole, one);
      if (!leaf) return false;
      const auto part = describer_.get(*leaf, {"__value_"});
      parts.push_back(part ? *part : *leaf);
    }
    if (parts.empty()) return false;
    return fill(parts.size(), [&](uint64_t index) { return parts[index]; });
  }

  // A union of the first alternative and of the union of the others; the index counts from 0, all ones: none.
  bool variant() {
    auto whole = describer_.get(value_, {"__impl"});
    if (!whole) whole = describer_.get(value_, {"__impl_"});  // from 17 on
    const auto place = whole ? describer_.get(*whole, {"__index"}) : std::nullopt;
    auto at = whole ? describer_.get(*whole, {"__data"}) : std::nullopt;
    const auto index = place ? integer(*place) : std::nullopt;
    if (!index || !at || !place->type->stripped().has_size || place->type->stripped().size > 4) return false;
    if (*index == (uint64_t{1} << 8 * place->type->stripped().size) - 1 || *index == ~uint64_t{0}) {
      to_.text = "(valueless)";
      return true;
    }
    if (*index > 255) return false;
    for (uint64_t step = 0; step < *index && at; ++step) at = describer_.get(*at, {"__tail"});
    const auto alternative = at ? describer_.get(*at, {"__head", "__value"}) : std::nullopt;
    return alternative && show(*alternative, fmt::format("index {}", *index));
  }

  // A node is left, right, parent, colour, then the value; the root's parent is the end node, whose left it is.
  bool tree(bool keyed) {
    const auto whole = describer_.get(value_, {"__tree_"});
    if (!whole) return false;
    const auto begin = describer_.number(*whole, {"__begin_node_"});
    const auto third = describer_.get(*whole, {"__pair3_"});
    const auto count = third ? integer(unpaired(*third)) : describer_.number(*whole, {"__size_"});
    if (!begin || !count) return false;
    const Type* element = argument(type_, 0);
    // Of a map: a pair, which the allocator's argument names; __value_type holds nothing else.
    if (keyed) element = pair_type();
    auto next = [&](uint64_t node) -> std::optional<uint64_t> {
      const auto right = word(node + 8);
      if (!right) return std::nullopt;
      if (*right != 0) {
        uint64_t at = *right;
        for (int steps = 0; steps < 128; ++steps) {
          const auto left = word(at);
          if (!left) return std::nullopt;
          if (*left == 0) return at;
          at = *left;
        }
        return std::nullopt;
      }
      uint64_t child = node;
      for (int steps = 0; steps < 128; ++steps) {
        const auto parent = word(child + 16);
        if (!parent) return std::nullopt;
        const auto its_left = word(*parent);
        if (!its_left) return std::nullopt;
        if (*its_left == child) return *parent;
        child = *parent;
      }
      return std::nullopt;
    };
    uint64_t seen = 0;
    return chain(element, *count == 0 ? 0 : *begin, *count, 25, keyed, [&](uint64_t node) -> std::optional<uint64_t> {
      return ++seen == *count ? std::optional<uint64_t>(0) : next(node);
    });
  }

  // std::pair<const K, V> of map<K, V, …>: the argument of its allocator.
  const Type* pair_type() {
    const auto& all = type_.complete().template_types;
    if (all.empty() || !all.back().second) return nullptr;
    const auto& inner = all.back().second->stripped().complete().template_types;
    return inner.empty() ? nullptr : inner.front().second;
  }

  bool hashed(bool keyed) {
    const auto table = describer_.get(value_, {"__table_"});
    if (!table) return false;
    auto first = describer_.get(*table, {"__p1_"});
    if (!first) first = describer_.get(*table, {"__first_node_"});
    const auto second = describer_.get(*table, {"__p2_"});
    const auto count = second ? integer(unpaired(*second)) : describer_.number(*table, {"__size_"});
    const auto start = first ? describer_.number(unpaired(*first), {"__next_"}) : std::nullopt;
    if (!start || !count) return false;
    return chain(keyed ? pair_type() : argument(type_, 0), *start, *count, 16, keyed,
                 [&](uint64_t at) { return word(at); });
  }

  bool shared_pointer() {
    const auto pointer = describer_.get(value_, {"__ptr_"}), block = describer_.get(value_, {"__cntrl_"});
    const auto address = pointer ? integer(*pointer) : std::nullopt, control = block ? integer(*block) : std::nullopt;
    if (!address || !control) return false;
    to_.text = fmt::format("{:#x}", *address);
    if (*control == 0) return true;
    // __shared_count: a table of functions, then the owners less one; __shared_weak_count: the weak ones after it.
    const auto owners = word(*control + 8), weak = word(*control + 16);
    if (!owners || !weak) {
      to_.note = "its counters are not in the dump";
      return true;
    }
    to_.note = fmt::format("use count {}, weak count {}", *owners + 1, *weak);
    if (*owners + 1 > 0) describer_.follow(to_, *pointer, depth_);
    return true;
  }

  bool unique_pointer() {
    const auto place = describer_.get(value_, {"__ptr_"});
    if (!place) return false;
    const Value pointer = unpaired(*place);
    if (!pointer.type->stripped().is_pointer()) return false;
    const auto address = integer(pointer);
    if (!address) return false;
    to_.text = fmt::format("{:#x}", *address);
    describer_.follow(to_, pointer, depth_);
    return true;
  }

  bool optional() {
    const auto engaged = describer_.number(value_, {"__engaged_"});
    if (!engaged || *engaged > 1) return false;
    if (*engaged == 0) {
      to_.text = "std::nullopt";
      return true;
    }
    const auto inner = describer_.get(value_, {"__val_"});
    return inner && show(*inner);
  }
};

}  // namespace

bool describe_libcxx(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth) {
  return LibcxxContainer(describer, value, type, to, depth).run();
}

}  // namespace mortem::inspector
