// An expression's words: names, numbers, characters, texts, registers and operators.
#pragma once

#include <cctype>
#include <string>

#include "snapshot/result.h"

namespace mortem::inspector {

struct ExpressionToken {
  enum class Kind { End, Name, Number, Character, String, Register, Operator } kind = Kind::End;
  std::string text;
  uint64_t number = 0;
  long double real = 0;
  bool is_real = false;
  size_t position = 0, end = 0;
};

class ExpressionLexer {
 protected:
  explicit ExpressionLexer(const std::string& text) : text_(text) {}

  // To the next word. The error shows where.
  Result<void> advance();
  bool is(const char* text) const { return token_.kind == ExpressionToken::Kind::Operator && token_.text == text; }

  tl::unexpected<Error> error(const std::string& what) { return error_at(what, token_.position); }
  tl::unexpected<Error> error_at(const std::string& what, size_t position);

  const std::string& text_;
  size_t at_ = 0;  // behind the word
  ExpressionToken token_;

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  static bool begins_name(char one) {
    return std::isalpha(static_cast<unsigned char>(one)) || one == '_' || (one & 0x80) != 0;
  }
  static bool in_name(char one) { return begins_name(one) || std::isdigit(static_cast<unsigned char>(one)); }
  Result<void> finish(ExpressionToken::Kind kind);
  Result<void> number();
  Result<char> escaped();
  Result<void> character();
  Result<void> string();
};

}  // namespace mortem::inspector
