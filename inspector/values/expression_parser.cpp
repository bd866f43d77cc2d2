#include <fmt/format.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "inspector/values/expression_tree.h"

namespace mortem::inspector {
namespace {

using Node = ExpressionNode;
using Tree = std::unique_ptr<ExpressionNode>;

constexpr int kMostParentheses = 200;      // in one another
constexpr size_t kMaximumLength = 100000;  // characters

constexpr std::array kTwoCharacterOperators = {"->", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "::"};

// Words that can begin a type's name of several words.
bool is_type_word(std::string_view word) {
  for (const char* one :
       {"unsigned", "signed", "long", "short", "int", "char", "double", "float", "bool", "void", "_Bool"})
    if (word == one) return true;
  return false;
}
bool is_type_prefix(std::string_view word) {
  for (const char* one : {"struct", "union", "enum", "class", "const", "volatile"})
    if (word == one) return true;
  return false;
}

std::string in_one_line(std::string text) {
  for (char& one : text)
    if (static_cast<unsigned char>(one) < 0x20) one = ' ';
  return text;
}

struct Token {
  enum class Kind { End, Name, Number, Character, String, Register, Operator } kind = Kind::End;
  std::string text;
  uint64_t number = 0;
  double real = 0;
  bool is_real = false;
  size_t position = 0, end = 0;
};

class Parser {
 public:
  Parser(const std::string& text, const std::function<bool(const std::string&)>& is_type)
      : text_(text), is_type_(is_type) {}

  Result<Tree> run() {
    if (text_.size() > kMaximumLength) return failure(ErrorKind::BadInput, "the expression is too long");
    TRY_VOID(advance());
    if (token_.kind == Token::Kind::End) return error("an expression is missing");
    Tree tree = TRY(conditional());
    if (token_.kind != Token::Kind::End) return error(fmt::format("\"{}\" was not expected", token_.text));
    return tree;
  }

 private:
  tl::unexpected<Error> error(const std::string& what) { return error_at(what, token_.position); }
  tl::unexpected<Error> error_at(const std::string& what, size_t position) {
    return failure(ErrorKind::BadInput, fmt::format("{} {}", in_one_line(what), at_position(text_, position)));
  }

  // --- words
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  static bool begins_name(char one) {
    return std::isalpha(static_cast<unsigned char>(one)) || one == '_' || (one & 0x80) != 0;
  }
  static bool in_name(char one) { return begins_name(one) || std::isdigit(static_cast<unsigned char>(one)); }

  Result<void> advance() {
    while (std::isspace(static_cast<unsigned char>(peek()))) ++at_;
    // Behind what can have members, a point and digits are Rust's `tuple.0`; else .5 is a number.
    const bool after_value = token_.kind == Token::Kind::Name || is(")") || is("]");
    token_ = {};
    token_.position = at_;
    if (at_ >= text_.size()) return finish(Token::Kind::End);
    const char one = peek();
    if (begins_name(one)) {
      while (in_name(peek())) token_.text += text_[at_++];
      return finish(Token::Kind::Name);
    }
    if (one == '$') {
      ++at_;
      while (in_name(peek())) token_.text += text_[at_++];
      if (token_.text.empty()) return error("a register's name is missing behind $");
      return finish(Token::Kind::Register);
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
        return finish(Token::Kind::Operator);
      }
    if (std::string_view("+-*/%&|^~!<>()[].?:@,=").find(one) == std::string_view::npos) {
      token_.text = one;
      return error(
          fmt::format("the character {} has no meaning", std::isprint(static_cast<unsigned char>(one))
                                                             ? fmt::format("\"{}\"", one)
                                                             : fmt::format("{:#x}", static_cast<unsigned char>(one))));
    }
    token_.text = text_[at_++];
    return finish(Token::Kind::Operator);
  }

  Result<void> finish(Token::Kind kind) {
    token_.kind = kind;
    token_.end = at_;
    return {};
  }

  Result<void> number() {
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
      if (std::string_view(token_.is_real ? "fl" : "ul").find(suffix) == std::string_view::npos ||
          token_.text.size() > 2)
        return error_at(fmt::format("\"{}\" does not belong to a number", text_[at_ - 1]), at_ - 1);
      token_.text += suffix;
    }
    return finish(Token::Kind::Number);
  }

  Result<char> escaped() {
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

  Result<void> character() {
    ++at_;
    if (at_ >= text_.size() || peek() == '\'') return error("a character is missing between ' and '");
    const char value = peek() == '\\' ? TRY(escaped()) : text_[at_++];
    if (peek() != '\'') return error("a closing ' is missing");
    ++at_;
    token_.number = static_cast<uint64_t>(int64_t{static_cast<signed char>(value)});
    return finish(Token::Kind::Character);
  }

  Result<void> string() {
    ++at_;
    while (true) {
      if (at_ >= text_.size()) return error("a closing \" is missing");
      if (peek() == '"') break;
      token_.text += peek() == '\\' ? TRY(escaped()) : text_[at_++];
    }
    ++at_;
    return finish(Token::Kind::String);
  }

  // --- sentences
  bool is(const char* text) const { return token_.kind == Token::Kind::Operator && token_.text == text; }

  Tree make(Node::Kind kind, size_t position) {
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->position = position;
    return node;
  }

  Result<void> expect(const char* text) {
    if (!is(text)) return error(fmt::format("\"{}\" is missing", text));
    return advance();
  }

  Result<Tree> conditional() {
    if (++depth_ > kMostParentheses) return error("the expression is too deep");
    Tree condition = TRY(binary(0));
    if (is("?")) {
      Tree node = make(Node::Kind::Conditional, token_.position);
      TRY_VOID(advance());
      Tree yes = TRY(conditional());
      TRY_VOID(expect(":"));
      Tree no = TRY(conditional());
      node->parts.push_back(std::move(condition));
      node->parts.push_back(std::move(yes));
      node->parts.push_back(std::move(no));
      condition = std::move(node);
    }
    --depth_;
    return condition;
  }

  static int precedence(const Token& token) {
    if (token.kind != Token::Kind::Operator) return -1;
    const std::string& one = token.text;
    if (one == "||") return 0;
    if (one == "&&") return 1;
    if (one == "|") return 2;
    if (one == "^") return 3;
    if (one == "&") return 4;
    if (one == "==" || one == "!=") return 5;
    if (one == "<" || one == ">" || one == "<=" || one == ">=") return 6;
    if (one == "@") return 7;  // above arithmetic's right side in gdb: *a@n, a@n+1
    if (one == "<<" || one == ">>") return 8;
    if (one == "+" || one == "-") return 9;
    if (one == "*" || one == "/" || one == "%") return 10;
    return -1;
  }

  Result<Tree> binary(int lowest) {
    Tree left = TRY(unary());
    while (true) {
      const int strength = precedence(token_);
      if (strength < lowest || strength < 0) return left;
      const Token operation = token_;
      TRY_VOID(advance());
      Tree right = TRY(binary(strength + 1));
      Tree node = make(operation.text == "@" ? Node::Kind::Repeat : Node::Kind::Binary, operation.position);
      node->text = operation.text;
      node->parts.push_back(std::move(left));
      node->parts.push_back(std::move(right));
      left = std::move(node);
    }
  }

  Result<Tree> unary() {
    if (++depth_ > kMostParentheses) return error("the expression is too deep");
    Tree result;
    if (token_.kind == Token::Kind::Operator && (is("*") || is("&") || is("-") || is("+") || is("!") || is("~"))) {
      result = make(Node::Kind::Unary, token_.position);
      result->text = token_.text;
      TRY_VOID(advance());
      result->parts.push_back(TRY(unary()));
    } else if (token_.kind == Token::Kind::Name && token_.text == "sizeof") {
      const size_t position = token_.position;
      TRY_VOID(advance());
      if (is("(")) {
        Tree type = TRY(try_type());
        if (type) {
          type->kind = Node::Kind::SizeOfType;
          type->position = position;
          result = std::move(type);
        }
      }
      if (!result) {
        result = make(Node::Kind::SizeOf, position);
        result->parts.push_back(TRY(unary()));
      }
    } else if (is("(")) {
      Tree cast = TRY(try_type());
      if (cast) {
        cast->parts.push_back(TRY(unary()));
        result = std::move(cast);
      } else {
        result = TRY(postfix());
      }
    } else {
      result = TRY(postfix());
    }
    --depth_;
    return result;
  }

  // At "(": a type in parentheses, or nothing, and then nothing was read.
  Result<Tree> try_type() {
    const size_t start = at_;
    const Token first = token_;
    Tree node = make(Node::Kind::Cast, token_.position);
    TRY_VOID(advance());
    bool certain = false;
    std::string name;
    auto append = [&](const std::string& word) { name += (name.empty() ? "" : " ") + word; };
    while (token_.kind == Token::Kind::Name && (is_type_prefix(token_.text) || is_type_word(token_.text))) {
      certain = true;
      if (is_type_word(token_.text)) append(token_.text);
      TRY_VOID(advance());
    }
    if (name.empty()) {
      if (token_.kind != Token::Kind::Name) return back(start, first);
      TRY_VOID(qualified(name));
      while (token_.kind == Token::Kind::Name && (token_.text == "const" || token_.text == "volatile"))
        TRY_VOID(advance());
    }
    if (name.empty()) return back(start, first);
    if (!certain && !is_type_(name)) return back(start, first);
    node->type = name;
    while (is("*") || is("&") || is("[") || (token_.kind == Token::Kind::Name && token_.text == "const")) {
      if (is("[")) {
        TRY_VOID(advance());
        if (token_.kind != Token::Kind::Number || token_.is_real) return error("a length is missing between [ and ]");
        node->declarator.push_back(fmt::format("[{}]", token_.number));
        TRY_VOID(advance());
        TRY_VOID(expect("]"));
        continue;
      }
      if (token_.kind == Token::Kind::Operator) node->declarator.push_back(token_.text);
      TRY_VOID(advance());
    }
    if (!is(")")) {
      if (certain) return error("\")\" is missing behind a type");
      return back(start, first);
    }
    TRY_VOID(advance());
    return node;
  }

  Result<Tree> back(size_t at, const Token& token) {
    at_ = at;
    token_ = token;
    return Tree();
  }

  // name, a::b::c, with template arguments as they stand.
  Result<void> qualified(std::string& name) {
    if (is("::")) TRY_VOID(advance());
    while (true) {
      if (token_.kind != Token::Kind::Name) return error("a name is missing");
      name += token_.text;
      const size_t behind = token_.end;
      // `Foo<int>::bar`: taken as template arguments if they close and :: or the end of a type follows.
      if (behind < text_.size() && text_[behind] == '<') {
        size_t end = behind;
        int depth = 0;
        for (; end < text_.size(); ++end) {
          if (text_[end] == '<') ++depth;
          if (text_[end] == '>' && --depth == 0) break;
        }
        const size_t after = end < text_.size() ? text_.find_first_not_of(' ', end + 1) : std::string::npos;
        const std::string with_arguments = end < text_.size() ? name + text_.substr(behind, end + 1 - behind) : "";
        if (!with_arguments.empty() &&
            ((after != std::string::npos && text_.compare(after, 2, "::") == 0) || is_type_(with_arguments))) {
          name = with_arguments;
          at_ = end + 1;
        }
      }
      TRY_VOID(advance());
      if (!is("::")) return {};
      name += "::";
      TRY_VOID(advance());
    }
  }

  Result<Tree> postfix() {
    Tree left = TRY(primary());
    while (true) {
      if (is(".") || is("->")) {
        Tree node = make(is(".") ? Node::Kind::Member : Node::Kind::Arrow, token_.position);
        TRY_VOID(advance());
        if (token_.kind == Token::Kind::Name) {
          TRY_VOID(qualified(node->text));
        } else if (token_.kind == Token::Kind::Number && !token_.is_real) {  // Rust's tuples
          node->text = fmt::format("__{}", token_.number);
          TRY_VOID(advance());
        } else {
          return error("a member's name is missing");
        }
        node->parts.push_back(std::move(left));
        left = std::move(node);
      } else if (is("[")) {
        Tree node = make(Node::Kind::Index, token_.position);
        TRY_VOID(advance());
        Tree index = TRY(conditional());
        TRY_VOID(expect("]"));
        node->parts.push_back(std::move(left));
        node->parts.push_back(std::move(index));
        left = std::move(node);
      } else if (is("(")) {
        return error("functions cannot be called: nothing runs in a dump,");
      } else {
        return left;
      }
    }
  }

  Result<Tree> primary() {
    Tree node = make(Node::Kind::Name, token_.position);
    switch (token_.kind) {
      case Token::Kind::End:
        return error("the expression ends too early");
      case Token::Kind::Name:
        TRY_VOID(qualified(node->text));
        return node;
      case Token::Kind::Number:
        node->kind = token_.is_real ? Node::Kind::Float : Node::Kind::Integer;
        node->number = token_.number;
        node->real = token_.real;
        node->text = token_.text;
        break;
      case Token::Kind::Character:
        node->kind = Node::Kind::Character;
        node->number = token_.number;
        break;
      case Token::Kind::String:
        node->kind = Node::Kind::String;
        node->text = token_.text;
        break;
      case Token::Kind::Register:
        node->kind = Node::Kind::Register;
        node->text = token_.text;
        break;
      case Token::Kind::Operator: {
        if (is("::")) {
          TRY_VOID(qualified(node->text));
          return node;
        }
        if (!is("(")) return error(fmt::format("\"{}\" was not expected", token_.text));
        TRY_VOID(advance());
        Tree inner = TRY(conditional());
        TRY_VOID(expect(")"));
        return inner;
      }
    }
    TRY_VOID(advance());
    return node;
  }

  const std::string& text_;
  const std::function<bool(const std::string&)>& is_type_;
  size_t at_ = 0;
  Token token_;
  int depth_ = 0;
};

}  // namespace

std::string at_position(const std::string& text, size_t position) {
  constexpr size_t kShown = 40;
  if (position >= text.size())
    return fmt::format("at the end of \"{}\"", in_one_line(text.substr(text.size() - std::min(text.size(), kShown))));
  return fmt::format("at character {}: \"{}\"", position + 1, in_one_line(text.substr(position, kShown)));
}

Result<std::unique_ptr<ExpressionNode>> parse_expression(const std::string& text,
                                                         const std::function<bool(const std::string&)>& is_type) {
  return Parser(text, is_type).run();
}

}  // namespace mortem::inspector
