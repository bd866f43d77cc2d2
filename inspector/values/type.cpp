#include "inspector/values/type.h"

#include <fmt/format.h>

namespace mortem::inspector {
namespace {

constexpr int kMaximumTypeDepth = 64;  // of types in types: a broken file may have circles

// A declaration is written around its name: `before` to the left, `after` to the right (C11, 6.7.6).
void write(const Type* type, std::string& before, std::string& after, int depth) {
  if (depth > kMaximumTypeDepth) {
    before += "...";
    return;
  }
  if (!type || (type->kind == TypeKind::Void && type->name.empty())) {
    before += "void";
    return;
  }
  const TypeDetails& details = type->complete();
  switch (type->kind) {
    case TypeKind::Pointer:
    case TypeKind::Reference:
    case TypeKind::RvalueReference: {
      if (!type->name.empty()) break;
      write(details.target, before, after, depth + 1);
      const Type* target = details.target;
      const bool wrapped = target && (target->kind == TypeKind::Array || target->kind == TypeKind::Function);
      if (before.empty() ||
          (before.back() != '*' && before.back() != '&' && before.back() != '(' && before.back() != ' '))
        before += ' ';
      before += wrapped ? "(" : "";
      before += type->kind == TypeKind::Pointer ? "*" : type->kind == TypeKind::Reference ? "&" : "&&";
      if (wrapped) after = ")" + after;
      return;
    }
    case TypeKind::Array: {
      if (!type->name.empty()) break;
      const Type* element = details.target;
      std::string inner_after;
      write(element, before, inner_after, depth + 1);
      const std::string own = type->count ? fmt::format("[{}]", *type->count) : "[]";
      if (inner_after.empty() && (before.empty() || before.back() != '(')) before += ' ';
      after = own + inner_after + after;
      return;
    }
    case TypeKind::Function: {
      if (!type->name.empty()) break;
      write(details.target, before, after, depth + 1);
      std::string parameters;
      for (const Type* one : details.parameters) parameters += (parameters.empty() ? "" : ", ") + type_text(one);
      if (details.variable_parameters) parameters += parameters.empty() ? "..." : ", ...";
      if (parameters.empty()) parameters = "void";
      if (!before.empty() && before.back() != ' ') before += ' ';
      after = "(" + parameters + ")" + after;
      return;
    }
    case TypeKind::MemberPointer:
      write(details.target, before, after, depth + 1);
      if (details.target && details.target->stripped().kind == TypeKind::Function) {
        before += "(" + type_text(details.owner) + "::*";
        after = ")" + after;
      } else {
        before += " " + type_text(details.owner) + "::*";
      }
      return;
    case TypeKind::Qualified: {
      const Type* target = details.target;
      if (target && target->kind == TypeKind::Pointer && target->name.empty()) {
        write(target, before, after, depth + 1);  // the pointer is const: behind its star
        before += " " + type->name;
      } else {
        before += type->name + " ";
        write(target, before, after, depth + 1);
      }
      return;
    }
    default:
      break;
  }
  if (!type->name.empty()) {
    before += type->name;
    return;
  }
  switch (type->kind) {
    case TypeKind::Struct:
      before += "struct {...}";
      return;
    case TypeKind::Class:
      before += "class {...}";
      return;
    case TypeKind::Union:
      before += "union {...}";
      return;
    case TypeKind::Enumeration:
      before += "enum {...}";
      return;
    default:
      before += "?";
  }
}

}  // namespace

const Type& Type::stripped() const {
  const Type* type = this;
  for (int depth = 0; depth < kMaximumTypeDepth; ++depth) {
    if (type->kind != TypeKind::Typedef && type->kind != TypeKind::Qualified) return *type;
    const Type* target = type->target();
    if (!target) {
      static const Type nothing = [] {
        Type type;
        type.kind = TypeKind::Void;
        type.completed = true;
        return type;
      }();
      return nothing;
    }
    type = target;
  }
  return *type;
}

bool Type::is_integer() const {
  switch (kind) {
    case TypeKind::Boolean:
    case TypeKind::Signed:
    case TypeKind::Unsigned:
    case TypeKind::SignedCharacter:
    case TypeKind::UnsignedCharacter:
    case TypeKind::Enumeration:
      return true;
    default:
      return false;
  }
}

bool Type::is_signed() const {
  if (kind == TypeKind::Enumeration) {
    if (const Type* underlying = target()) return underlying->stripped().is_signed();
    for (const Enumerator& one : complete().enumerators)
      if (one.value < 0) return true;
    return false;
  }
  return kind == TypeKind::Signed || kind == TypeKind::SignedCharacter;
}

std::string type_text(const Type* type) {
  std::string before, after;
  write(type, before, after, 0);
  return before + after;
}

}  // namespace mortem::inspector
