// Arithmetic on the typed stack of a DWARF expression (DWARF 5, section 2.5.1.4).
#pragma once

#include <cstdint>
#include <optional>

#include "inspector/values/location.h"

namespace mortem::inspector {

struct ExpressionValue {
  uint64_t bits = 0;  // integers are extended to 64 bits by their type's sign
  ExpressionType type;
  bool known = true;
};

bool is_arithmetic(uint8_t operation);
bool is_unary(uint8_t operation);
// The low bytes of `bits` as a value of `type`.
uint64_t extended(uint64_t bits, const ExpressionType& type);
// Nothing: a type that this does not compute with (long double, 128-bit integers).
std::optional<uint64_t> converted(const ExpressionValue& value, const ExpressionType& type);
// Nothing: it has no result (division by zero).
std::optional<ExpressionValue> computed(uint8_t operation, const ExpressionValue& left, const ExpressionValue& right);

}  // namespace mortem::inspector
