// An object seen as one of its class's bases, or as a class derived from it: what C++ converts (C++20, 7.6.1.9).
#pragma once

#include <optional>

#include "inspector/values/value.h"

namespace mortem::inspector {

inline constexpr int kMostBases = 32;  // above one another, that are looked through

// `object`: of a class. Nothing: `to` is no class, the same one or neither a base nor derived. The error: where it
// would be is not known, or it is there more than once.
std::optional<Found<Value>> as_related_class(ValueReader& reader, const Value& object, const Type* to);

// Whether two descriptions are of one class, which every unit may have.
bool is_same_class(const Type& one, const Type& other);
// Or the same one.
bool is_derived_class(const Type& derived, const Type& base, int depth = 0);

}  // namespace mortem::inspector
