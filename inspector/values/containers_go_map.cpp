// Go's maps: hash tables of buckets (runtime/map.go, up to Go 1.23) and Swiss tables (internal/runtime/maps,
// from 1.24). The compiler makes map[K]V a pointer to a structure that it names hash<K,V> or map<K,V>.
#include <fmt/format.h>

#include "inspector/values/describer.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kMostGoBuckets = 1ull << 24, kMostGoTables = 1ull << 24, kMostGoGroups = 1ull << 16;
constexpr uint64_t kCells = 8;  // of a bucket, and of a group
constexpr uint8_t kMinimumTopHash = 5, kEvacuatedX = 2, kEvacuatedEmpty = 4;
constexpr uint8_t kFree = 0x80;  // of a group's control byte: empty or deleted

class GoMap : Container {
 public:
  using Container::Container;

  bool run() {
    const Type* target = type_.target();
    if (!target) return false;
    const std::string& name = target->stripped().name;
    const bool is_buckets = name.starts_with("hash<");
    if (!is_buckets && !name.starts_with("map<")) return false;
    const auto address = describer_.reader().read_integer(value_);
    if (!address) return false;
    if (*address == 0) {
      to_.text = "nil";
      return true;
    }
    const Value header = Value::in_memory(target, *address);
    arguments_ = name.substr(name.find('<'));
    const auto count = describer_.number(header, {is_buckets ? "count" : "used"});
    if (!count || !(is_buckets ? buckets(header) : tables(header))) return false;
    show_found(*count);
    return true;
  }

 private:
  // Long keys and values are kept elsewhere, and a pointer to each in the table: the structure's name says whose map it
  // is.
  Value at_home(const Value& stored, const std::string& type_name) {
    const Type& type = *stored.type;
    if (type.stripped().kind != TypeKind::Pointer || type_text(&type) == type_name) return stored;
    const auto address = describer_.reader().read_integer(stored);
    const Type* target = type.stripped().target();
    return address && target && type_text(target) == type_name ? Value::in_memory(target, *address) : stored;
  }

  void add(const Value& key, const Value& mapped) {
    if (!split_) split_ = names_of(key, mapped);
    found_.emplace_back(at_home(key, split_->first), at_home(mapped, split_->second));
  }

  // Names of key and value: at the one comma of the structure's <K,V> where both are the stored type's or its target's.
  std::pair<std::string, std::string> names_of(const Value& key, const Value& mapped) {
    const std::string inside = arguments_.substr(1, arguments_.size() - 2);
    const auto fits = [](const Value& stored, const std::string& name) {
      const Type* target =
          stored.type->stripped().kind == TypeKind::Pointer ? stored.type->stripped().target() : nullptr;
      return type_text(stored.type) == name || (target && type_text(target) == name);
    };
    for (size_t comma = inside.find(','); comma != std::string::npos; comma = inside.find(',', comma + 1)) {
      std::pair<std::string, std::string> names(inside.substr(0, comma), inside.substr(comma + 1));
      if (fits(key, names.first) && fits(mapped, names.second)) return names;
    }
    return {type_text(key.type), type_text(mapped.type)};
  }

  // One bucket and those that overflowed from it. `old`: one of before the map grew; if it has been moved away,
  // nothing.
  void bucket(const Type* type, uint64_t address, bool old) {
    for (size_t chain = 0; address != 0; ++chain) {
      const Value whole = Value::in_memory(type, address);
      const auto hashes = describer_.get(whole, {"tophash"}), keys = describer_.get(whole, {"keys"}),
                 values = describer_.get(whole, {"values"});
      const auto next = describer_.number(whole, {"overflow"});
      const auto bytes =
          hashes ? describer_.reader().read(*hashes, 0, kCells) : Found<std::vector<uint8_t>>(not_known(""));
      constexpr size_t kLongestChain = 100000;
      if (!bytes || !keys || !values || !next || chain > kLongestChain) {
        broken_ = true;
        return;
      }
      if (old && chain == 0 && (*bytes)[0] >= kEvacuatedX && (*bytes)[0] <= kEvacuatedEmpty) return;
      for (uint64_t cell = 0; cell < kCells; ++cell) {
        if ((*bytes)[cell] < kMinimumTopHash) continue;
        const auto key = describer_.reader().element(*keys, cell), mapped = describer_.reader().element(*values, cell);
        if (key && mapped) add(*key, *mapped);
      }
      address = *next;
    }
  }

  bool buckets(const Value& header) {
    const auto power = describer_.number(header, {"B"}), flags = describer_.number(header, {"flags"});
    const auto now = describer_.get(header, {"buckets"}), old = describer_.get(header, {"oldbuckets"});
    if (!power || !now || !old || !flags || *power > 24) return false;
    const Type* type = now->type->stripped().target();
    const auto start = describer_.reader().read_integer(*now), old_start = describer_.reader().read_integer(*old);
    if (!type || !type->stripped().has_size || !start || !old_start) return false;
    constexpr uint64_t kSameSizeGrow = 8;
    const uint64_t size = type->stripped().size, all = uint64_t{1} << *power;
    const uint64_t old_all = (*flags & kSameSizeGrow) != 0 ? all : all / 2;
    if (*start != 0)
      for (uint64_t index = 0; index < all && !broken_; ++index) bucket(type, *start + index * size, false);
    if (*old_start != 0)
      for (uint64_t index = 0; index < old_all && !broken_; ++index) bucket(type, *old_start + index * size, true);
    return true;
  }

  // Eight control bytes, then the slots with key and value.
  void group(const Type* type, uint64_t address) {
    const Value whole = Value::in_memory(type, address);
    const auto control = describer_.get(whole, {"ctrl"}), slots = describer_.get(whole, {"slots"});
    const auto bytes =
        control ? describer_.reader().read(*control, 0, kCells) : Found<std::vector<uint8_t>>(not_known(""));
    if (!bytes || !slots) {
      broken_ = true;
      return;
    }
    for (uint64_t cell = 0; cell < kCells; ++cell) {
      if (((*bytes)[cell] & kFree) != 0) continue;
      const auto slot = describer_.reader().element(*slots, cell);
      const auto key = slot ? describer_.get(*slot, {"key"}) : std::nullopt;
      const auto mapped = slot ? describer_.get(*slot, {"elem"}) : std::nullopt;
      if (key && mapped) add(*key, *mapped);
    }
  }

  // A table is in the directory as often as it has hashes; these stand side by side.
  bool tables(const Value& header) {
    const auto directory = describer_.get(header, {"dirPtr"});
    const auto start = describer_.number(header, {"dirPtr"}), length = describer_.number(header, {"dirLen"});
    const Type* table_pointer = directory ? directory->type->stripped().target() : nullptr;
    const Type* table_type = table_pointer ? table_pointer->stripped().target() : nullptr;
    if (!start || !length || !table_type || *length > kMostGoTables) return false;
    const Type* group_type = type_of_groups(table_type);
    if (!group_type || !group_type->stripped().has_size) return false;
    if (*length == 0) {
      if (*start != 0) group(group_type, *start);
      return true;
    }
    uint64_t before = 0;
    for (uint64_t index = 0; index < *length && !broken_; ++index) {
      const auto table = word(*start + 8 * index);
      if (table && *table == before) continue;
      broken_ = !table || !groups(Value::in_memory(table_type, *table), group_type);
      before = table.value_or(0);
    }
    return true;
  }

  const Type* type_of_groups(const Type* table_type) {
    const auto data = describer_.get(Value::in_memory(table_type, 0), {"groups", "data"});
    return data ? data->type->stripped().target() : nullptr;
  }

  bool groups(const Value& table, const Type* type) {
    const auto start = describer_.number(table, {"groups", "data"}),
               mask = describer_.number(table, {"groups", "lengthMask"});
    if (!start || !mask || *mask >= kMostGoGroups) return false;
    for (uint64_t index = 0; index <= *mask && !broken_; ++index) group(type, *start + index * type->stripped().size);
    return true;
  }

  void show_found(uint64_t count) {
    if (found_.size() != count)
      to_.note = fmt::format("broken: it says {} elements and {} were found", count, found_.size());
    to_.elements = to_.keyed = true;
    to_.count = found_.size();
    const auto [first, end] = describer_.window(found_.size(), depth_);
    to_.first = first;
    for (uint64_t index = first; index < end; ++index) {
      const auto& [key, mapped] = found_[index];
      const std::string name = value_text(describer_.node(key, "", depth_ + 1));
      if (!describer_.add_element(to_, index, mapped, depth_)) break;
      to_.children.back().name = "[" + name + "]";
    }
  }

  std::string arguments_;  // <K,V>
  std::optional<std::pair<std::string, std::string>> split_;
  std::vector<std::pair<Value, Value>> found_;
  bool broken_ = false;
};

}  // namespace

bool describe_go_map(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth) {
  return GoMap(describer, value, type, to, depth).run();
}

}  // namespace mortem::inspector
