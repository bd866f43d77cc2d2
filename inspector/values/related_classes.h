// An object seen as one of its class's bases, or as a class derived from it: what C++ converts (C++20, 7.6.1.9).
#pragma once

#include <optional>

#include "inspector/values/value.h"

namespace mortem::inspector {

// `object`: of a class. Nothing: `to` is no class, the same one or neither a base nor derived. The error: where it
// would be is not known, or it is there more than once.
std::optional<Found<Value>> as_related_class(ValueReader& reader, const Value& object, const Type* to);

// Whether two descriptions are of one class, which every unit may have.
bool is_same_class(const Type& one, const Type& other);
// Or the same one.
bool is_derived_class(const Type& derived, const Type& base, int depth = 0);

// The `to` that dynamic_cast finds for `object`, a part of `complete` in memory (C++20, 7.6.1.7); nothing: it fails.
std::optional<Value> as_dynamic_class(ValueReader& reader, const Value& object, const Type* to, const Value& complete);

}  // namespace mortem::inspector
