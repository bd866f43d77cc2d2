#include <fmt/format.h>

#include <string_view>

#include "inspector/values/expression_lexer.h"
#include "inspector/values/expression_tree.h"

namespace mortem::inspector {
namespace {

using Node = ExpressionNode;
using Token = ExpressionToken;
using Tree = std::unique_ptr<ExpressionNode>;

constexpr int kMostParentheses = 200;      // in one another
constexpr size_t kMaximumLength = 100000;  // characters

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

bool is_cast_word(std::string_view word) {
  return word == "static_cast" || word == "reinterpret_cast" || word == "const_cast" || word == "dynamic_cast";
}

class Parser : ExpressionLexer {
 public:
  Parser(const std::string& text, const std::function<bool(const std::string&)>& is_type)
      : ExpressionLexer(text), is_type_(is_type) {}

  Result<Tree> run() {
    if (text_.size() > kMaximumLength) return failure(ErrorKind::BadInput, "the expression is too long");
    TRY_VOID(advance());
    if (token_.kind == Token::Kind::End) return error("an expression is missing");
    Tree tree = TRY(conditional());
    if (token_.kind != Token::Kind::End) return error(fmt::format("\"{}\" was not expected", token_.text));
    return tree;
  }

 private:
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

  // At "(": a type in parentheses, or nothing, and then nothing was read. In `<` and `>` it is one for certain.
  Result<Tree> try_type(const char* closing = ")") {
    const size_t start = at_;
    const Token first = token_;
    Tree node = make(Node::Kind::Cast, token_.position);
    TRY_VOID(advance());
    bool certain = closing[0] != ')';
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
    if (!is(closing)) {
      if (certain) return error(fmt::format("\"{}\" is missing behind a type", closing));
      return back(start, first);
    }
    TRY_VOID(advance());
    return node;
  }

  // At "<" behind static_cast and such.
  Result<Tree> named_cast(const std::string& word, size_t position) {
    Tree node = TRY(try_type(">"));
    if (!node) return error("a type is missing behind <");
    node->text = word;
    node->position = position;
    TRY_VOID(expect("("));
    node->parts.push_back(TRY(conditional()));
    TRY_VOID(expect(")"));
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
      } else if (is("(") && left->kind == Node::Kind::Name && (is_type_word(left->text) || is_type_(left->text))) {
        Tree node = make(Node::Kind::Cast, left->position);
        node->type = left->text;
        TRY_VOID(advance());
        node->parts.push_back(TRY(conditional()));
        TRY_VOID(expect(")"));
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
        if (is_cast_word(token_.text)) {
          const std::string word = token_.text;
          TRY_VOID(advance());
          if (is("<")) return named_cast(word, node->position);
          return error("a type is missing: static_cast<type>(value)");
        }
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

  const std::function<bool(const std::string&)>& is_type_;
  int depth_ = 0;
};

}  // namespace

Result<std::unique_ptr<ExpressionNode>> parse_expression(const std::string& text,
                                                         const std::function<bool(const std::string&)>& is_type) {
  return Parser(text, is_type).run();
}

}  // namespace mortem::inspector
