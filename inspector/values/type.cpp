#include "inspector/values/type.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

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

std::optional<uint64_t> alignment_of(const Type* type, int depth);

std::optional<uint64_t> alignment_of_members(const Type& type, int depth) {
  uint64_t most = 1;
  bool is_packed = false;
  auto take = [&](const Member& member) {
    if (!member.offset_expression.empty()) {  // a virtual base: there is a pointer to a table
      most = std::max<uint64_t>(most, 8);
      return true;
    }
    const auto natural = alignment_of(member.type, depth + 1);
    if (!natural) return false;
    const uint64_t alignment = std::max(*natural, member.alignment);
    if (member.bit_size == 0 && member.bit_offset % (alignment * 8) != 0) is_packed = true;
    most = std::max(most, alignment);
    return true;
  };
  const TypeDetails& details = type.complete();
  for (const Member& one : details.members)
    if (!take(one)) return std::nullopt;
  if (details.discriminant && !take(*details.discriminant)) return std::nullopt;
  for (const Variant& variant : details.variants)
    for (const Member& one : variant.members)
      if (!take(one)) return std::nullopt;
  return is_packed || (type.has_size && type.size % most != 0) ? 1 : most;
}

// Parts of std::string that clang only declares, as they are in the library's own debug information: an allocator
// without state, and what holds it and a pointer.
std::optional<uint64_t> alignment_of_declared(const Type& type) {
  if (type.name.starts_with("std::allocator<")) return 1;
  const bool is_holder = type.name.starts_with("std::__cxx11::basic_string<") &&
                         type.name.find(", std::allocator<") != std::string::npos &&
                         type.name.ends_with("::_Alloc_hider");
  if (is_holder) return 8;
  return std::nullopt;
}

std::optional<uint64_t> alignment_of(const Type* type, int depth) {
  if (!type || depth > kMaximumTypeDepth) return std::nullopt;
  if (type->declaration) return alignment_of_declared(*type);
  if (type->alignment != 0) return type->alignment;
  switch (type->kind) {
    case TypeKind::Typedef:
    case TypeKind::Qualified:
    case TypeKind::Array:
      if (type->vector && type->has_size) return type->size;
      return alignment_of(type->target(), depth + 1);
    case TypeKind::Pointer:
    case TypeKind::Reference:
    case TypeKind::RvalueReference:
    case TypeKind::MemberPointer:
      return 8;
    case TypeKind::Struct:
    case TypeKind::Class:
    case TypeKind::Union:
      return alignment_of_members(*type, depth);
    case TypeKind::Complex:
      return type->has_size ? std::optional(type->size / 2) : std::nullopt;
    default:
      if (!type->has_size || !std::has_single_bit(type->size) || type->size > 16) return std::nullopt;
      return type->size;
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

std::optional<uint64_t> alignment_of(const Type* type) {
  return alignment_of(type, 0);
}

std::string type_text(const Type* type) {
  std::string before, after;
  write(type, before, after, 0);
  return before + after;
}

}  // namespace mortem::inspector
