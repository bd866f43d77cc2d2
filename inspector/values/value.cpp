#include "inspector/values/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace mortem::inspector {
namespace {

constexpr uint64_t kMaximumRead = 64 << 20;
constexpr int kMaximumBaseDepth = 16;  // of bases and anonymous members

// Offsets of virtual bases (Itanium C++ ABI 2.5) are found by an expression over the object's address.
class ObjectContext final : public LocationContext {
 public:
  Found<std::vector<uint8_t>> register_bytes(uint64_t) override { return no(); }
  Found<uint64_t> frame_base() override { return no(); }
  Found<uint64_t> cfa() override { return no(); }
  uint64_t load_bias() override { return 0; }
  Found<uint64_t> indexed(uint64_t) override { return no(); }
  Found<uint64_t> thread_local_address(uint64_t) override { return no(); }
  Found<uint64_t> entry_value(std::span<const uint8_t>) override { return no(); }
  Found<uint64_t> parameter_at_entry(uint64_t) override { return no(); }
  Found<uint64_t> variable_value(uint64_t) override { return no(); }
  Found<ExpressionType> base_type(uint64_t) override { return no(); }
  Found<std::vector<uint8_t>> called(uint64_t, bool) override { return no(); }

 private:
  static tl::unexpected<Missing> no() { return not_known("a member's place depends on a frame"); }
};

// 80 bits (Intel SDM vol. 1, 4.2.2), which are the host's, too.
long double extended_double(const uint8_t* bytes) {
  long double value = 0;
  std::memcpy(&value, bytes, 10);
  return value;
}

}  // namespace

Found<std::vector<uint8_t>> ValueReader::read_memory(uint64_t address, uint64_t size) {
  if (size > kMaximumRead) return not_known(fmt::format("{} bytes are too many to read at once", size));
  std::vector<uint8_t> bytes(size);
  const size_t got = memory_.read(address, bytes);
  if (got < size) return not_known(fmt::format("memory {:#x} is not in the dump", address + got));
  return bytes;
}

Found<std::vector<uint8_t>> ValueReader::read(const Value& value, uint64_t offset, uint64_t size) {
  if (value.missing) return tl::unexpected(*value.missing);
  if (value.address) return read_memory(*value.address + offset, size);
  if (!value.bytes) return not_known("it has no value");
  const uint64_t start = value.byte_offset + offset, total = value.bytes->bytes.size();
  if (start < offset || start > total || size > total - start)
    return not_known("its debug information says too little");
  for (const ValueBytes::Gap& gap : value.bytes->gaps) {
    uint64_t first = start * 8, end = (start + size) * 8;
    if (value.bit_size != 0) {  // only the field's own bits have to be known
      first = std::max<uint64_t>(first, value.byte_offset * 8 + value.bit_shift);
      end = std::min<uint64_t>(end, value.byte_offset * 8 + value.bit_shift + value.bit_size);
    }
    if (gap.first_bit < end && gap.end_bit > first) return tl::unexpected(gap.missing);
  }
  const auto from = value.bytes->bytes.begin() + static_cast<ptrdiff_t>(start);
  return std::vector<uint8_t>(from, from + static_cast<ptrdiff_t>(size));
}

Found<uint64_t> ValueReader::read_integer(const Value& value) {
  if (!value.type) return not_known("it has no type");
  const Type& type = value.type->stripped();
  const bool by_sign = type.is_signed();
  uint64_t bits = 0;
  unsigned width;
  if (value.bit_size != 0) {
    if (value.bit_size > 64 || value.bit_shift > 7) return not_known("a bit-field of more than 64 bits");
    const uint64_t size = (value.bit_shift + value.bit_size + 7) / 8;
    const auto bytes = read(value, 0, size);
    if (!bytes) return tl::unexpected(bytes.error());
    unsigned __int128 wide = 0;
    std::memcpy(&wide, bytes->data(), bytes->size());
    bits = static_cast<uint64_t>(wide >> value.bit_shift);
    width = value.bit_size;
  } else {
    if (!type.is_integer() && !type.is_pointer() && type.kind != TypeKind::MemberPointer)
      return not_known("it is no integer");
    if (!type.has_size || type.size > 8 || type.size == 0) return not_known("it is no integer of 1 to 8 bytes");
    const auto bytes = read(value, 0, type.size);
    if (!bytes) return tl::unexpected(bytes.error());
    std::memcpy(&bits, bytes->data(), bytes->size());
    width = static_cast<unsigned>(type.size) * 8;
  }
  if (width < 64) {
    bits <<= 64 - width;
    bits = by_sign ? static_cast<uint64_t>(static_cast<int64_t>(bits) >> (64 - width)) : bits >> (64 - width);
  }
  return bits;
}

Found<long double> ValueReader::read_float(const Value& value) {
  if (!value.type) return not_known("it has no type");
  const Type& type = value.type->stripped();
  if (type.kind != TypeKind::Float) return not_known("it is no floating-point number");
  const auto bytes = read(value, 0, type.size == 16 ? 10 : type.size);
  if (!bytes) return tl::unexpected(bytes.error());
  if (bytes->size() == 4) {
    uint32_t bits;
    std::memcpy(&bits, bytes->data(), 4);
    return std::bit_cast<float>(bits);
  }
  if (bytes->size() == 8) {
    uint64_t bits;
    std::memcpy(&bits, bytes->data(), 8);
    return std::bit_cast<double>(bits);
  }
  if (bytes->size() == 10 && type.name.find("128") == std::string::npos) return extended_double(bytes->data());
  return not_known(fmt::format("floating-point numbers of {} bytes", type.size));
}

Value ValueReader::as(const Value& value, const Type* type, uint64_t offset) {
  Value result = value;
  result.type = type;
  result.bit_shift = result.bit_size = 0;
  if (result.address)
    *result.address += offset;
  else
    result.byte_offset += offset;
  return result;
}

Found<Value> ValueReader::member(const Value& value, const Member& member) {
  if (value.missing) return tl::unexpected(*value.missing);
  uint64_t bit_offset = member.bit_offset;
  if (!member.offset_expression.empty()) {
    if (!value.address) return not_known("a virtual base of an object that is not in memory");
    ObjectContext context;
    const auto address =
        evaluate_number(member.offset_expression, context, memory_, {*value.address, {*value.address}});
    if (!address) return tl::unexpected(address.error());
    bit_offset = (*address - *value.address) * 8;
  }
  if (member.bit_size == 0) return as(value, member.type, static_cast<uint64_t>(static_cast<int64_t>(bit_offset) >> 3));
  Value result = as(value, member.type, bit_offset / 8);
  result.bit_shift = bit_offset % 8;
  result.bit_size = static_cast<unsigned>(std::min<uint64_t>(member.bit_size, 65));
  return result;
}

Found<Value> ValueReader::find_member_in(const Value& value, const Type& type, const std::string& name, int depth) {
  if (depth > kMaximumBaseDepth) return not_known("bases in bases without end");
  for (const Member& one : type.members())
    if (one.name == name && !one.base) return member(value, one);
  for (const Member& one : type.members()) {
    if (!one.type || (!one.base && !one.name.empty())) continue;
    const Type& inner = one.type->stripped();
    if (!inner.is_struct() || !has_member(inner, name)) continue;
    auto part = member(value, one);
    if (!part) return part;
    return find_member_in(*part, inner, name, depth + 1);
  }
  for (const Variant& variant : type.complete().variants) {
    bool here = false;
    for (const Member& one : variant.members) here = here || one.name == name;
    if (!here) continue;
    const auto active = active_variant(value);
    if (!active) return tl::unexpected(active.error());
    if (*active != &variant) return not_known(fmt::format("it is not {} now", name));
    for (const Member& one : variant.members)
      if (one.name == name) return member(value, one);
  }
  return not_known(fmt::format("{} has no member {}", type_text(&type), name));
}

bool ValueReader::has_member(const Type& type, const std::string& name) {
  // Depth is bounded by the stack of types that find_member_in walks as well.
  std::vector<std::pair<const Type*, int>> open = {{&type, 0}};
  while (!open.empty()) {
    const auto [one, depth] = open.back();
    open.pop_back();
    if (depth > kMaximumBaseDepth) continue;
    for (const Member& member : one->members()) {
      if (member.name == name && !member.base) return true;
      if (member.type && (member.base || member.name.empty()) && member.type->stripped().is_struct())
        open.push_back({&member.type->stripped(), depth + 1});
    }
    for (const Variant& variant : one->complete().variants)
      for (const Member& member : variant.members)
        if (member.name == name) return true;
  }
  return false;
}

Found<Value> ValueReader::find_member(const Value& value, const std::string& name) {
  if (!value.type) return not_known("it has no type");
  const Type& type = value.type->stripped();
  if (!type.is_struct()) return not_known(fmt::format("{} has no members", type_text(value.type)));
  if (type.declaration)
    return not_known(fmt::format("{} is only declared: its members are not known", type_text(&type)));
  return find_member_in(value, type, name, 0);
}

Found<Value> ValueReader::dereference(const Value& value) {
  if (!value.type) return not_known("it has no type");
  const Type& type = value.type->stripped();
  if (!type.is_pointer()) return not_known(fmt::format("{} is no pointer", type_text(value.type)));
  if (value.bytes && !value.missing)
    for (const ValueBytes::SyntheticPointer& one : value.bytes->synthetic)
      if (one.byte == value.byte_offset) {
        const auto target = one.target();
        if (target && type.target() && type.target()->stripped().has_size) return as(*target, type.target());
        if (target && !target->type) return not_known("an implicit pointer leads into the middle of an object");
        return target;
      }
  const auto address = read_integer(value);
  if (!address) return tl::unexpected(address.error());
  return Value::in_memory(type.target(), *address);
}

std::string ValueReader::synthetic_at(const Value& value) {
  if (value.bytes && !value.missing)
    for (const ValueBytes::SyntheticPointer& one : value.bytes->synthetic)
      if (one.byte == value.byte_offset) return "(synthetic pointer)";
  return "";
}

Found<Value> ValueReader::element(const Value& array, uint64_t index) {
  const Type* element = array.type ? array.type->stripped().target() : nullptr;
  if (!element || !element->stripped().has_size) return not_known("elements of unknown size");
  uint64_t offset;
  if (__builtin_mul_overflow(index, element->stripped().size, &offset)) return not_known("the index is too large");
  if (array.missing) return tl::unexpected(*array.missing);
  return as(array, element, offset);
}

Found<const Variant*> ValueReader::active_variant(const Value& value) {
  const TypeDetails& details = value.type->stripped().complete();
  if (details.variants.empty()) return static_cast<const Variant*>(nullptr);
  const Variant* fallback = nullptr;
  for (const Variant& one : details.variants)
    if (one.values.empty()) fallback = &one;
  if (!details.discriminant) return fallback;
  const auto place = member(value, *details.discriminant);
  if (!place) return tl::unexpected(place.error());
  const auto bits = read_integer(*place);
  if (!bits) return tl::unexpected(bits.error());
  const uint64_t size = place->type ? place->type->stripped().size : 8;
  const uint64_t mask = size >= 8 ? ~uint64_t{0} : (uint64_t{1} << size * 8) - 1;
  for (const Variant& one : details.variants)
    for (const auto& [first, last] : one.values)
      if ((*bits & mask) >= (first & mask) && (*bits & mask) <= (last & mask)) return &one;
  return fallback;
}

}  // namespace mortem::inspector
