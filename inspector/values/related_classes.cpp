#include "inspector/values/related_classes.h"

#include <fmt/format.h>

#include <vector>

namespace mortem::inspector {
namespace {

void find_bases(ValueReader& reader, const Value& object, const Type& to, std::vector<Found<Value>>& found) {
  for (const Member& one : object.type->stripped().members()) {
    if (!one.base || !one.type || !is_derived_class(one.type->stripped(), to)) continue;
    const auto base = reader.member(object, one);
    if (!base || is_same_class(one.type->stripped(), to))
      found.push_back(base);
    else
      find_bases(reader, *base, to, found);
  }
}

// Offsets of `base` in `derived`, in bytes; nothing: one is virtual, its place depends on the object.
std::optional<std::vector<uint64_t>> offsets_of(const Type& derived, const Type& base) {
  std::vector<uint64_t> all;
  for (const Member& one : derived.members()) {
    if (!one.base || !one.type || !is_derived_class(one.type->stripped(), base)) continue;
    if (!one.offset_expression.empty()) return std::nullopt;
    const Type& type = one.type->stripped();
    const auto inner = is_same_class(type, base) ? std::optional(std::vector<uint64_t>{0}) : offsets_of(type, base);
    if (!inner) return std::nullopt;
    for (const uint64_t offset : *inner) all.push_back(one.bit_offset / 8 + offset);
  }
  return all;
}

}  // namespace

bool is_same_class(const Type& one, const Type& other) {
  return &one == &other || (one.is_struct() && other.is_struct() && !one.name.empty() && one.name == other.name &&
                            one.size == other.size);
}

bool is_derived_class(const Type& derived, const Type& base, int depth) {
  if (is_same_class(derived, base)) return true;
  if (depth > kMostBases) return false;
  for (const Member& one : derived.members())
    if (one.base && one.type && is_derived_class(one.type->stripped(), base, depth + 1)) return true;
  return false;
}

std::optional<Found<Value>> as_related_class(ValueReader& reader, const Value& object, const Type* to) {
  const Type& from = object.type->stripped();
  const Type& target = to->stripped();
  if (!from.is_struct() || !target.is_struct() || is_same_class(from, target)) return std::nullopt;
  std::vector<Found<Value>> bases;
  find_bases(reader, object, target, bases);
  if (!bases.empty()) {
    for (const Found<Value>& one : bases) {
      if (!one) return one;
      if (one->address != bases[0]->address || one->byte_offset != bases[0]->byte_offset)
        return not_known(fmt::format("{} is a base of {} more than once", target.name, from.name));
    }
    return reader.as(*bases[0], to);
  }
  const auto offsets = offsets_of(target, from);
  if (!offsets) return not_known(fmt::format("{} is a virtual base of {}", from.name, target.name));
  if (offsets->empty()) return std::nullopt;
  if (offsets->size() > 1) return not_known(fmt::format("{} is a base of {} more than once", from.name, target.name));
  if (!object.address) return not_known("the whole of an object that is not in memory");
  return reader.as(object, to, 0 - offsets->front());
}

}  // namespace mortem::inspector
