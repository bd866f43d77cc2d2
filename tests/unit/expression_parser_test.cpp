// The grammar of `mortem print`'s expressions, written back with all its parentheses.
#include <gtest/gtest.h>

#include "inspector/values/expression_tree.h"

namespace mortem::inspector {
namespace {

using Kind = ExpressionNode::Kind;

std::string written(const ExpressionNode& node) {
  auto part = [&](size_t index) { return written(*node.parts[index]); };
  switch (node.kind) {
    case Kind::Name:
      return node.text;
    case Kind::Integer:
      return std::to_string(node.number) + node.text;
    case Kind::Float:
      return std::to_string(node.real);
    case Kind::Character:
      return "'" + std::to_string(node.number) + "'";
    case Kind::String:
      return "\"" + node.text + "\"";
    case Kind::Register:
      return "$" + node.text;
    case Kind::Member:
      return "(" + part(0) + "." + node.text + ")";
    case Kind::Arrow:
      return "(" + part(0) + "->" + node.text + ")";
    case Kind::Index:
      return "(" + part(0) + "[" + part(1) + "])";
    case Kind::Repeat:
      return "(" + part(0) + "@" + part(1) + ")";
    case Kind::Unary:
      return "(" + node.text + part(0) + ")";
    case Kind::Binary:
      return "(" + part(0) + node.text + part(1) + ")";
    case Kind::Conditional:
      return "(" + part(0) + "?" + part(1) + ":" + part(2) + ")";
    case Kind::Cast:
    case Kind::SizeOfType: {
      std::string type = node.type;
      for (const std::string& one : node.declarator) type += one;
      return node.kind == Kind::Cast ? "((" + type + ")" + part(0) + ")" : "sizeof(" + type + ")";
    }
    case Kind::SizeOf:
      return "(sizeof " + part(0) + ")";
  }
  return "?";
}

std::string parsed(const std::string& text) {
  auto tree = parse_expression(text, [](const std::string& name) {
    return name == "node" || name == "ns::type" || name == "std::vector<int, std::allocator<int> >";
  });
  return tree ? written(**tree) : "error: " + tree.error().message;
}

TEST(ExpressionParser, Precedence) {
  EXPECT_EQ(parsed("1+2*3"), "(1+(2*3))");
  EXPECT_EQ(parsed("(1+2)*3"), "((1+2)*3)");
  EXPECT_EQ(parsed("a - b - c"), "((a-b)-c)");
  EXPECT_EQ(parsed("1<<2+3 == x && y || z"), "((((1<<(2+3))==x)&&y)||z)");
  EXPECT_EQ(parsed("a & b == c"), "(a&(b==c))");
  EXPECT_EQ(parsed("a ? b : c ? d : e"), "(a?b:(c?d:e))");
  EXPECT_EQ(parsed("-a * !b"), "((-a)*(!b))");
  EXPECT_EQ(parsed("*array@n+1"), "((*array)@(n+1))");
}

TEST(ExpressionParser, PostfixAndNames) {
  EXPECT_EQ(parsed("req->headers[2].name"), "(((req->headers)[2]).name)");
  EXPECT_EQ(parsed("*p->next"), "(*(p->next))");
  EXPECT_EQ(parsed("&ns::value.x"), "(&(ns::value.x))");
  EXPECT_EQ(parsed("Foo<int>::count"), "Foo<int>::count");
  EXPECT_EQ(parsed("a < b"), "(a<b)");
  EXPECT_EQ(parsed("tuple.0"), "(tuple.__0)");
  EXPECT_EQ(parsed("$rax + 8"), "($rax+8)");
  EXPECT_EQ(parsed("::global"), "global");
}

TEST(ExpressionParser, CastsAndSizes) {
  EXPECT_EQ(parsed("(node)-1"), "((node)(-1))");
  EXPECT_EQ(parsed("(other)-1"), "(other-1)");
  EXPECT_EQ(parsed("(struct node *)p"), "((node*)p)");
  EXPECT_EQ(parsed("(unsigned long)*p"), "((unsigned long)(*p))");
  EXPECT_EQ(parsed("(const char *const *)p"), "((char**)p)");
  EXPECT_EQ(parsed("*(ns::type **)0x10"), "(*((ns::type**)16))");
  EXPECT_EQ(parsed("(int[4])x"), "((int[4])x)");
  EXPECT_EQ(parsed("(std::vector<int, std::allocator<int> > *)p"), "((std::vector<int, std::allocator<int> >*)p)");
  EXPECT_EQ(parsed("sizeof(int) + sizeof x"), "(sizeof(int)+(sizeof x))");
  EXPECT_EQ(parsed("sizeof (x)"), "(sizeof x)");
}

TEST(ExpressionParser, Literals) {
  EXPECT_EQ(parsed("0x1F + 017 + 0b101 + 5ul"), "(((31+15)+5)+5ul)");
  EXPECT_EQ(parsed("1.5"), "1.500000");
  EXPECT_EQ(parsed("'a' + '\\n' + '\\x41'"), "(('97'+'10')+'65')");
  EXPECT_EQ(parsed("\"a\\\"b\\101\""), "\"a\"bA\"");
}

TEST(ExpressionParser, ErrorsNameThePosition) {
  EXPECT_EQ(parsed("req->"), "error: a member's name is missing at the end of \"req->\"");
  EXPECT_EQ(parsed("a[1"), "error: \"]\" is missing at the end of \"a[1\"");
  EXPECT_EQ(parsed("a + ) b"), "error: \")\" was not expected at character 5: \") b\"");
  EXPECT_EQ(parsed("a ; b"), "error: the character \";\" has no meaning at character 3: \"; b\"");
  EXPECT_EQ(parsed("f(1)"), "error: functions cannot be called: nothing runs in a dump, at character 2: \"(1)\"");
  EXPECT_EQ(parsed("12abc"), "error: \"a\" does not belong to a number at character 3: \"abc\"");
  EXPECT_EQ(parsed("99999999999999999999"),
            "error: the number does not fit 64 bits at character 1: \"99999999999999999999\"");
  EXPECT_EQ(parsed(""), "error: an expression is missing at the end of \"\"");
  EXPECT_EQ(parsed("'ab'"), "error: a closing ' is missing at character 1: \"'ab'\"");
  EXPECT_EQ(parsed("x = 1"), "error: \"=\" was not expected at character 3: \"= 1\"");
  EXPECT_TRUE(parsed(std::string(5000, '(')).starts_with("error: the expression is too deep"));
  EXPECT_TRUE(parsed(std::string(5000, '-') + "1").starts_with("error: the expression is too deep"));
}

}  // namespace
}  // namespace mortem::inspector
