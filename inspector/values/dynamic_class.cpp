#include "inspector/values/dynamic_class.h"

#include <fmt/format.h>

#include <map>

#include "inspector/values/dynamic_type.h"
#include "inspector/values/related_classes.h"

namespace mortem::inspector {
namespace {

std::string without_anonymous(std::string name) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  for (size_t at; (at = name.find(kAnonymous)) != std::string::npos;) name.erase(at, kAnonymous.size());
  return name;
}

// The parts of `object` that are a `to`, each once however many ways lead to it: by address, and whether one of the
// ways is public all along.
void find_parts(ValueReader& reader, const Value& object, const Type& to, bool is_public, int depth,
                std::map<uint64_t, bool>& found) {
  const Type& type = object.type->stripped();
  if (depth > kMostBases) return;
  if (is_same_class(type, to)) {
    found[*object.address] |= is_public;
    return;
  }
  for (const Member& one : type.members()) {
    if (!one.base || !one.type || !is_derived_class(one.type->stripped(), to)) continue;
    if (const auto base = reader.member(object, one))
      find_parts(reader, *base, to, is_public && one.is_public, depth + 1, found);
  }
}

// The `to` that dynamic_cast finds for `object`, a part of `complete` (C++20, 7.6.1.7); nothing: it fails.
std::optional<Value> part_of_whole(ValueReader& reader, const Value& object, const Type* to, const Value& complete) {
  const Type &from = object.type->stripped(), &target = to->stripped();
  std::map<uint64_t, bool> all;
  find_parts(reader, complete, target, true, 0, all);
  // One that `object` is a public base of, if there is just one; else a public one, if both are unambiguous.
  std::vector<uint64_t> around;
  for (const auto& [address, is_public] : all) {
    std::map<uint64_t, bool> inner;
    find_parts(reader, Value::in_memory(to, address), from, true, 0, inner);
    if (const auto own = inner.find(*object.address); own != inner.end() && own->second) around.push_back(address);
  }
  if (around.size() == 1) return Value::in_memory(to, around.front());
  std::map<uint64_t, bool> same;
  find_parts(reader, complete, from, true, 0, same);
  if (all.size() != 1 || !all.begin()->second || !same[*object.address]) return std::nullopt;
  return Value::in_memory(to, all.begin()->first);
}

}  // namespace

Found<std::optional<Value>> as_dynamic_class(ValueReader& reader, ExpressionNames& names, const Value& object,
                                             const Type* to) {
  if (to && is_same_class(object.type->stripped(), to->stripped())) return reader.as(object, to);
  if (to && is_derived_class(object.type->stripped(), to->stripped())) {
    const auto base = as_related_class(reader, object, to);
    if (!base) return not_known("it is no base");
    if (!*base) return tl::unexpected(base->error());
    return **base;
  }
  const auto dynamic = find_dynamic_type(reader.memory(), *object.address);
  if (!dynamic) return not_known("the object's own type is not to be told: no virtual functions, or no RTTI");
  // As expressions name what is in an anonymous namespace.
  const Type* type = names.find_type(without_anonymous(dynamic->name));
  if (!type || !type->stripped().is_struct())
    return not_known(fmt::format("nothing tells of the object's own type {}", dynamic->name));
  const Value complete = Value::in_memory(type, dynamic->address);
  if (!to) return complete;
  return part_of_whole(reader, object, to, complete);
}

}  // namespace mortem::inspector
