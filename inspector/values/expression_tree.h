// Expressions over a program's values, as C and C++ write them: what `mortem print` takes.
//
//   expression  := conditional operators of C, without assignment, ++, -- and ,
//   primary     := name | ns::name | 42 | 1.5 | 'c' | "text" | $rax | (expression) | sizeof x
//                | (type)x | type(x) | static_cast<type>(x), dynamic_cast, reinterpret_cast, const_cast
//   postfix     := x.m | x->m | x[i] | x@n (n objects one after another, from x on; GDB manual, "Arrays")
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::inspector {

struct ExpressionNode {
  enum class Kind {
    Name,         // text
    Integer,      // number; text: its suffixes, in lower case
    Float,        // real
    Character,    // number
    String,       // text
    Register,     // text
    Member,       // [0].text
    Arrow,        // [0]->text
    Index,        // [0][[1]]
    Repeat,       // [0]@[1]
    Unary,        // text: * & - + ! ~
    Binary,       // text
    Conditional,  // [0] ? [1] : [2]
    Cast,         // (type)[0], type([0]); text: static_cast and such, or empty
    SizeOfType,
    SizeOf,
  };
  Kind kind = Kind::Name;
  size_t position = 0;  // in the text, from 0
  std::string text;
  uint64_t number = 0;
  long double real = 0;
  std::vector<std::unique_ptr<ExpressionNode>> parts;
  std::string type;                     // of a cast: the base type's name
  std::vector<std::string> declarator;  // "*", "&", "[3]" of the cast, in the order they apply
};

// `is_type`: whether a name is a type's; "(x)-1" can be read in two ways.
Result<std::unique_ptr<ExpressionNode>> parse_expression(const std::string& text,
                                                         const std::function<bool(const std::string&)>& is_type);

// An error that shows where: "… at character 5: \"req->)\"".
std::string at_position(const std::string& text, size_t position);

}  // namespace mortem::inspector
