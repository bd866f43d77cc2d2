#include "inspector/values/value_arithmetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "inspector/values/describe.h"

namespace mortem::inspector {
namespace {

template <typename T>
Value value_of(const Type* type, T content) {
  std::vector<uint8_t> bytes(type->stripped().size);
  std::memcpy(bytes.data(), &content, std::min(sizeof(content), bytes.size()));
  return Value::of_bytes(type, std::move(bytes));
}

// C's long double.
bool is_extended(const Type& type) {
  return (type.size == 10 || type.size == 16) && type.name.find("128") == std::string::npos;
}

// In the type of the result, so that it is rounded once.
template <typename T>
T computed(char operation, T left, T right) {
  return operation == '+'   ? left + right
         : operation == '-' ? left - right
         : operation == '*' ? left * right
                            : left / right;
}

tl::unexpected<Error> wrong(const std::string& what) {
  return failure(ErrorKind::BadInput, what);
}

}  // namespace

Value ValueArithmetic::integer(const Type* type, uint64_t bits) {
  return value_of(type, bits);
}
Value ValueArithmetic::of_int(int64_t value) {
  return integer(names_.find_base("int"), static_cast<uint64_t>(value));
}
Value ValueArithmetic::real(const Type* type, long double value) {
  const Type& plain = type->stripped();
  if (plain.size == 4) return value_of(type, static_cast<float>(value));
  if (plain.size != 8 && is_extended(plain)) {
    std::vector<uint8_t> bytes(plain.size);
    std::memcpy(bytes.data(), &value, 10);  // the rest of it is padding
    return Value::of_bytes(type, std::move(bytes));
  }
  return value_of(plain.size == 8 ? type : names_.find_base("double"), static_cast<double>(value));
}

// C11, 6.3.1.1.
const Type* ValueArithmetic::promoted(const Type& type) {
  if (type.size < 4 || type.kind == TypeKind::Boolean) return names_.find_base("int");
  if (type.size == 8) return names_.find_base(type.is_signed() ? "long" : "unsigned long");
  return names_.find_base(type.is_signed() ? "int" : "unsigned int");
}

Result<Value> ValueArithmetic::integers(const std::string& operation, const Type& left_type, const Type& right_type,
                                        uint64_t left, uint64_t right) {
  const Type &a = promoted(left_type)->stripped(), &b = promoted(right_type)->stripped();
  // C11, 6.3.1.8; of equal sizes the unsigned one.
  const bool shift = operation == "<<" || operation == ">>";
  const Type& common = shift ? a : a.size != b.size ? (a.size > b.size ? a : b) : a.is_signed() ? b : a;
  const bool by_sign = common.is_signed();
  if (common.size == 4) {
    left = by_sign ? static_cast<uint64_t>(int64_t{static_cast<int32_t>(left)}) : static_cast<uint32_t>(left);
    if (!shift)
      right = by_sign ? static_cast<uint64_t>(int64_t{static_cast<int32_t>(right)}) : static_cast<uint32_t>(right);
  }
  const auto signed_left = static_cast<int64_t>(left), signed_right = static_cast<int64_t>(right);
  auto result = [&](uint64_t bits) { return integer(&common, bits); };
  if (operation == "+") return result(left + right);
  if (operation == "-") return result(left - right);
  if (operation == "*") return result(left * right);
  if (operation == "&") return result(left & right);
  if (operation == "|") return result(left | right);
  if (operation == "^") return result(left ^ right);
  if (operation == "/" || operation == "%") {
    if (right == 0) return wrong("division by zero");
    if (by_sign && signed_right == -1) return result(operation == "/" ? 0 - left : 0);
    if (by_sign)
      return result(static_cast<uint64_t>(operation == "/" ? signed_left / signed_right : signed_left % signed_right));
    return result(operation == "/" ? left / right : left % right);
  }
  if (shift) {
    if (right >= common.size * 8) return wrong(fmt::format("a shift by {} bits", signed_right));
    if (operation == "<<") return result(left << right);
    return result(by_sign ? static_cast<uint64_t>(signed_left >> right) : left >> right);
  }
  return compared(operation, by_sign ? (signed_left < signed_right ? -1 : signed_left > signed_right)
                                     : (left < right ? -1 : left > right));
}

Result<Value> ValueArithmetic::floats(const std::string& operation, const Type& left_type, const Type& right_type,
                                      long double left, long double right) {
  const auto is_long = [](const Type& type) { return type.kind == TypeKind::Float && is_extended(type); };
  if (operation.size() == 1 && std::string_view("+-*/").find(operation[0]) != std::string_view::npos) {
    const char what = operation[0];
    if (is_long(left_type) || is_long(right_type))
      return real(is_long(left_type) ? &left_type : &right_type, computed(what, left, right));
    const bool is_single = left_type.size == 4 && right_type.size == 4;
    return real(names_.find_base(is_single ? "float" : "double"),
                computed(what, static_cast<double>(left), static_cast<double>(right)));
  }
  if (std::isnan(left) || std::isnan(right)) return of_int(operation == "!=");
  return compared(operation, left < right ? -1 : left > right);
}

Result<Value> ValueArithmetic::pointers(const std::string& operation, const Type* left_type, const Type* right_type,
                                        uint64_t left, uint64_t right) {
  const bool is_left = left_type->stripped().is_pointer(), is_right = right_type->stripped().is_pointer();
  const Type* target = (is_left ? left_type : right_type)->stripped().target();
  const Type* whole = target ? &target->stripped() : nullptr;
  const uint64_t size = !whole || whole->kind == TypeKind::Void ? 1 : whole->has_size ? whole->size : 0;
  if (operation == "+" || (operation == "-" && !is_right)) {
    if (is_left && is_right) return wrong("two pointers cannot be added");
    if (size == 0) return wrong(fmt::format("the size of {} is not known", type_text(target)));
    if (is_left) return integer(left_type, operation == "+" ? left + right * size : left - right * size);
    return integer(right_type, left * size + right);
  }
  if (operation == "-") {
    if (!is_left) return wrong("a pointer cannot be subtracted from a number");
    if (size == 0) return wrong(fmt::format("the size of {} is not known", type_text(target)));
    return integer(names_.find_base("long"),
                   static_cast<uint64_t>(static_cast<int64_t>(left - right) / static_cast<int64_t>(size)));
  }
  return compared(operation, left < right ? -1 : left > right);
}

Result<Value> ValueArithmetic::compared(const std::string& operation, int order) {
  if (operation == "==") return of_int(order == 0);
  if (operation == "!=") return of_int(order != 0);
  if (operation == "<") return of_int(order < 0);
  if (operation == ">") return of_int(order > 0);
  if (operation == "<=") return of_int(order <= 0);
  if (operation == ">=") return of_int(order >= 0);
  return wrong(fmt::format("{} does not apply here", operation));
}

}  // namespace mortem::inspector
