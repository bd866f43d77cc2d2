// What the names in an expression stand for: types, variables, enumerators, registers.
#pragma once

#include <optional>
#include <string>

#include "inspector/values/program_values.h"

namespace mortem::inspector {

class ExpressionNames {
 public:
  // `frame`: null for none. Both must outlive this.
  ExpressionNames(ProgramValues& program, FrameValues* frame) : program_(program), frame_(frame) {}

  const Type* find_base(const std::string& name);  // of C, whether the program describes it or not; null: none
  const Type* find_type(const std::string& name);  // null: none
  // A variable of that name hides a type: (x)-1 is a subtraction then.
  bool is_type(const std::string& name);
  // A variable of the frame, a member of its object, or what stands outside of functions.
  std::optional<Value> find(const std::string& name);
  std::optional<Value> find_enumerator(const std::string& name);
  // `name`: without $. The error knows no position.
  Result<Value> find_register(const std::string& name);

 private:
  ProgramValues& program_;
  FrameValues* frame_;
};

}  // namespace mortem::inspector
