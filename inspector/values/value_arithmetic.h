// Arithmetic on values with C's types (C11, sections 6.3.1 and 6.5), for expressions that a user writes.
#pragma once

#include <string>

#include "inspector/values/expression_names.h"

namespace mortem::inspector {

class ValueArithmetic {
 public:
  // `names` must outlive this.
  explicit ValueArithmetic(ExpressionNames& names) : names_(names) {}

  // Values made here: the low bytes of `bits`, as large as the type is.
  Value integer(const Type* type, uint64_t bits);
  Value of_int(int64_t value);
  Value real(const Type* type, long double value);  // a type of another size than C's becomes a double

  const Type* promoted(const Type& type);  // what is smaller than an int becomes one

  // Integers are extended to 64 bits by their type's sign. The errors know no position.
  Result<Value> integers(const std::string& operation, const Type& left_type, const Type& right_type, uint64_t left,
                         uint64_t right);
  Result<Value> floats(const std::string& operation, const Type& left_type, const Type& right_type, long double left,
                       long double right);
  // At least one of them is a pointer.
  Result<Value> pointers(const std::string& operation, const Type* left_type, const Type* right_type, uint64_t left,
                         uint64_t right);

 private:
  Result<Value> compared(const std::string& operation, int order);

  ExpressionNames& names_;
};

}  // namespace mortem::inspector
