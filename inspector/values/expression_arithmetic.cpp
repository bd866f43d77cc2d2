#include "inspector/values/expression_arithmetic.h"

#include <libdwarf/dwarf.h>

#include <bit>
#include <cmath>

namespace mortem::inspector {
namespace {

bool is_float(const ExpressionType& type) {
  return type.kind == TypeKind::Float;
}
bool is_signed(const ExpressionType& type) {
  return type.kind == TypeKind::Signed || type.kind == TypeKind::SignedCharacter;
}
double to_double(const ExpressionValue& value) {
  if (is_float(value.type))
    return value.type.size == 4 ? std::bit_cast<float>(static_cast<uint32_t>(value.bits))
                                : std::bit_cast<double>(value.bits);
  return is_signed(value.type) ? static_cast<double>(static_cast<int64_t>(value.bits))
                               : static_cast<double>(value.bits);
}
uint64_t from_double(double value, const ExpressionType& type) {
  return type.size == 4 ? std::bit_cast<uint32_t>(static_cast<float>(value)) : std::bit_cast<uint64_t>(value);
}

std::optional<ExpressionValue> compute_floats(uint8_t operation, const ExpressionValue& one,
                                              const ExpressionValue& other) {
  const double left = to_double(one), right = to_double(other);
  auto number = [&](double value) { return ExpressionValue{from_double(value, one.type), one.type, true}; };
  auto truth = [](bool value) { return ExpressionValue{value, {}, true}; };
  switch (operation) {
    case DW_OP_plus:
      return number(left + right);
    case DW_OP_minus:
      return number(left - right);
    case DW_OP_mul:
      return number(left * right);
    case DW_OP_div:
      return number(left / right);
    case DW_OP_neg:
      return number(-left);
    case DW_OP_abs:
      return number(std::fabs(left));
    case DW_OP_eq:
      return truth(left == right);
    case DW_OP_ne:
      return truth(left != right);
    case DW_OP_lt:
      return truth(left < right);
    case DW_OP_le:
      return truth(left <= right);
    case DW_OP_gt:
      return truth(left > right);
    case DW_OP_ge:
      return truth(left >= right);
    default:
      return std::nullopt;
  }
}

}  // namespace

bool is_unary(uint8_t operation) {
  return operation == DW_OP_abs || operation == DW_OP_neg || operation == DW_OP_not;
}

bool is_arithmetic(uint8_t operation) {
  switch (operation) {
    case DW_OP_abs:
    case DW_OP_neg:
    case DW_OP_not:
    case DW_OP_and:
    case DW_OP_or:
    case DW_OP_xor:
    case DW_OP_plus:
    case DW_OP_plus_uconst:
    case DW_OP_minus:
    case DW_OP_mul:
    case DW_OP_div:
    case DW_OP_mod:
    case DW_OP_shl:
    case DW_OP_shr:
    case DW_OP_shra:
    case DW_OP_eq:
    case DW_OP_ne:
    case DW_OP_lt:
    case DW_OP_le:
    case DW_OP_gt:
    case DW_OP_ge:
      return true;
    default:
      return false;
  }
}

uint64_t extended(uint64_t bits, const ExpressionType& type) {
  if (type.size >= 8 || type.size == 0) return bits;
  const unsigned unused = 64 - 8 * static_cast<unsigned>(type.size);
  if (is_signed(type)) return static_cast<uint64_t>(static_cast<int64_t>(bits << unused) >> unused);
  return bits << unused >> unused;
}

std::optional<uint64_t> converted(const ExpressionValue& value, const ExpressionType& type) {
  if (type.size == 0 || type.size > 8 || value.type.size > 8) return std::nullopt;
  if (is_float(type)) {
    if (type.size != 4 && type.size != 8) return std::nullopt;
    return from_double(to_double(value), type);
  }
  if (!is_float(value.type)) return extended(value.bits, type);
  const double number = std::trunc(to_double(value));
  // What does not fit has no defined result in the program either.
  if (is_signed(type)) {
    if (!(number >= -9.2233720368547758e18 && number < 9.2233720368547758e18)) return std::nullopt;
    return extended(static_cast<uint64_t>(static_cast<int64_t>(number)), type);
  }
  if (!(number > -1 && number < 1.8446744073709552e19)) return std::nullopt;
  return extended(static_cast<uint64_t>(number), type);
}

std::optional<ExpressionValue> computed(uint8_t operation, const ExpressionValue& one, const ExpressionValue& other) {
  if (one.type.size > 8 || other.type.size > 8) return std::nullopt;
  if (is_float(one.type)) return compute_floats(operation, one, other);
  const uint64_t left = one.bits, right = other.bits;
  const auto signed_left = static_cast<int64_t>(left), signed_right = static_cast<int64_t>(right);
  // The generic type has no sign: its division and comparisons are signed, its remainder is not (sections 2.5.1.4, 5).
  const bool by_sign = one.type.generic || is_signed(one.type);
  auto number = [&](uint64_t bits) { return ExpressionValue{extended(bits, one.type), one.type, true}; };
  auto truth = [](bool value) { return ExpressionValue{value, {}, true}; };
  const uint64_t width = one.type.size * 8;
  switch (operation) {
    case DW_OP_abs:
      return number(by_sign && signed_left < 0 ? 0 - left : left);
    case DW_OP_neg:
      return number(0 - left);
    case DW_OP_not:
      return number(~left);
    case DW_OP_and:
      return number(left & right);
    case DW_OP_or:
      return number(left | right);
    case DW_OP_xor:
      return number(left ^ right);
    case DW_OP_plus:
      return number(left + right);
    case DW_OP_minus:
      return number(left - right);
    case DW_OP_mul:
      return number(left * right);
    case DW_OP_div:
      if (right == 0 || (by_sign && signed_left == INT64_MIN && signed_right == -1)) return std::nullopt;
      return number(by_sign ? static_cast<uint64_t>(signed_left / signed_right) : left / right);
    case DW_OP_mod:
      if (right == 0) return std::nullopt;
      if (is_signed(one.type)) {
        if (signed_right == -1) return number(0);
        return number(static_cast<uint64_t>(signed_left % signed_right));
      }
      return number(left % right);
    case DW_OP_shl:
      return number(right < width ? left << right : 0);
    case DW_OP_shr: {
      const uint64_t bits = width >= 64 ? left : left & ((uint64_t{1} << width) - 1);
      return number(right < width ? bits >> right : 0);
    }
    case DW_OP_shra:
      return number(static_cast<uint64_t>(signed_left >> (right < 64 ? right : 63)));
    case DW_OP_eq:
      return truth(left == right);
    case DW_OP_ne:
      return truth(left != right);
    case DW_OP_lt:
      return truth(by_sign ? signed_left < signed_right : left < right);
    case DW_OP_le:
      return truth(by_sign ? signed_left <= signed_right : left <= right);
    case DW_OP_gt:
      return truth(by_sign ? signed_left > signed_right : left > right);
    case DW_OP_ge:
      return truth(by_sign ? signed_left >= signed_right : left >= right);
    default:
      return std::nullopt;
  }
}

}  // namespace mortem::inspector
