#include "inspector/values/expression_lexer.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "inspector/values/expression_tree.h"

namespace mortem::inspector {
namespace {

constexpr std::array kTwoCharacterOperators = {"->", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "::"};

std::string in_one_line(std::string text) {
  for (char& one : text)
    if (static_cast<unsigned char>(one) < 0x20) one = ' ';
  return text;
}

}  // namespace

tl::unexpected<Error> ExpressionLexer::error_at(const std::string& what, size_t position) {
  return failure(ErrorKind::BadInput, fmt::format("{} {}", in_one_line(what), at_position(text_, position)));
}

Result<void> ExpressionLexer::advance() {
  while (std::isspace(static_cast<unsigned char>(peek()))) ++at_;
  // Behind what can have members, a point and digits are Rust's `tuple.0`; else .5 is a number.
  const bool after_value = token_.kind == ExpressionToken::Kind::Name || is(")") || is("]");
  token_ = {};
  token_.position = at_;
  if (at_ >= text_.size()) return finish(ExpressionToken::Kind::End);
  const char one = peek();
  if (begins_name(one)) {
    while (in_name(peek())) token_.text += text_[at_++];
    return finish(ExpressionToken::Kind::Name);
  }
  if (one == '$') {
    ++at_;
    while (in_name(peek())) token_.text += text_[at_++];
    if (token_.text.empty()) return error("a register's name is missing behind $");
    return finish(ExpressionToken::Kind::Register);
  }
  if (std::isdigit(static_cast<unsigned char>(one)) ||
      (one == '.' && !after_value && std::isdigit(static_cast<unsigned char>(peek(1)))))
    return number();
  if (one == '\'') return character();
  if (one == '"') return string();
  for (const char* two : kTwoCharacterOperators)
    if (one == two[0] && peek(1) == two[1]) {
      at_ += 2;
      token_.text = two;
      return finish(ExpressionToken::Kind::Operator);
    }
  if (std::string_view("+-*/%&|^~!<>()[].?:@,=").find(one) == std::string_view::npos) {
    token_.text = one;
    return error(
        fmt::format("the character {} has no meaning", std::isprint(static_cast<unsigned char>(one))
                                                           ? fmt::format("\"{}\"", one)
                                                           : fmt::format("{:#x}", static_cast<unsigned char>(one))));
  }
  token_.text = text_[at_++];
  return finish(ExpressionToken::Kind::Operator);
}

Result<void> ExpressionLexer::finish(ExpressionToken::Kind kind) {
  token_.kind = kind;
  token_.end = at_;
  return {};
}

Result<void> ExpressionLexer::number() {
  const char* start = text_.c_str() + at_;
  char* end = nullptr;
  const bool hexadecimal = start[0] == '0' && (start[1] == 'x' || start[1] == 'X');
  const bool binary = start[0] == '0' && (start[1] == 'b' || start[1] == 'B');
  errno = 0;
  if (binary) {
    token_.number = std::strtoull(start + 2, &end, 2);
    if (end == start + 2) return error("a binary number has no digits");
  } else {
    token_.number = std::strtoull(start, &end, 0);
  }
  const bool too_large = errno == ERANGE;
  if (!hexadecimal && !binary && (*end == '.' || *end == 'e' || *end == 'E')) {
    token_.real = std::strtod(start, &end);
    token_.is_real = true;
  } else if (too_large) {
    return error("the number does not fit 64 bits");
  }
  at_ += static_cast<size_t>(end - start);
  while (in_name(peek())) {
    const char suffix = static_cast<char>(std::tolower(static_cast<unsigned char>(text_[at_++])));
    if (std::string_view(token_.is_real ? "fl" : "ul").find(suffix) == std::string_view::npos || token_.text.size() > 2)
      return error_at(fmt::format("\"{}\" does not belong to a number", text_[at_ - 1]), at_ - 1);
    token_.text += suffix;
    if (token_.is_real && suffix == 'l') token_.real = std::strtold(start, nullptr);
  }
  return finish(ExpressionToken::Kind::Number);
}

Result<char> ExpressionLexer::escaped() {
  ++at_;  // the backslash
  const char one = peek();
  if (at_ >= text_.size()) return error("a character is missing behind \\");
  ++at_;
  switch (one) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case 'e':
      return '\033';
    case 'x': {
      unsigned value = 0;
      int digits = 0;
      while (digits < 2 && std::isxdigit(static_cast<unsigned char>(peek()))) {
        value = value * 16 + static_cast<unsigned>(std::strtoul(std::string(1, text_[at_++]).c_str(), nullptr, 16));
        ++digits;
      }
      if (digits == 0) return error_at("\\x has no digits", at_);
      return static_cast<char>(value);
    }
    default:
      if (one >= '0' && one <= '7') {
        unsigned value = static_cast<unsigned>(one - '0');
        for (int digits = 1; digits < 3 && peek() >= '0' && peek() <= '7'; ++digits)
          value = value * 8 + static_cast<unsigned>(text_[at_++] - '0');
        return static_cast<char>(value);
      }
      return one;
  }
}

Result<void> ExpressionLexer::character() {
  ++at_;
  if (at_ >= text_.size() || peek() == '\'') return error("a character is missing between ' and '");
  const char value = peek() == '\\' ? TRY(escaped()) : text_[at_++];
  if (peek() != '\'') return error("a closing ' is missing");
  ++at_;
  token_.number = static_cast<uint64_t>(int64_t{static_cast<signed char>(value)});
  return finish(ExpressionToken::Kind::Character);
}

Result<void> ExpressionLexer::string() {
  ++at_;
  while (true) {
    if (at_ >= text_.size()) return error("a closing \" is missing");
    if (peek() == '"') break;
    token_.text += peek() == '\\' ? TRY(escaped()) : text_[at_++];
  }
  ++at_;
  return finish(ExpressionToken::Kind::String);
}

std::string at_position(const std::string& text, size_t position) {
  constexpr size_t kShown = 40;
  if (position >= text.size())
    return fmt::format("at the end of \"{}\"", in_one_line(text.substr(text.size() - std::min(text.size(), kShown))));
  return fmt::format("at character {}: \"{}\"", position + 1, in_one_line(text.substr(position, kShown)));
}

}  // namespace mortem::inspector
