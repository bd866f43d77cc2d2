// C++'s dynamic_cast.
#pragma once

#include <optional>

#include "inspector/values/expression_names.h"

namespace mortem::inspector {

// `object`: of a class, in memory. `to`: a class; null: whatever the whole object is. The optional is empty where the
// cast fails. The error: the object's own type is not to be told. A base needs no look at the object.
Found<std::optional<Value>> as_dynamic_class(ValueReader& reader, ExpressionNames& names, const Value& object,
                                             const Type* to);

}  // namespace mortem::inspector
