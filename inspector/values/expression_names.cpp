#include "inspector/values/expression_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "inspector/values/register_values.h"

namespace mortem::inspector {
namespace {

struct NamedBase {
  const char* name;
  TypeKind kind;
  uint64_t size;
};
constexpr NamedBase kBases[] = {
    {"char", TypeKind::SignedCharacter, 1},
    {"signed char", TypeKind::SignedCharacter, 1},
    {"unsigned char", TypeKind::UnsignedCharacter, 1},
    {"short", TypeKind::Signed, 2},
    {"unsigned short", TypeKind::Unsigned, 2},
    {"int", TypeKind::Signed, 4},
    {"unsigned int", TypeKind::Unsigned, 4},
    {"long", TypeKind::Signed, 8},
    {"unsigned long", TypeKind::Unsigned, 8},
    {"long long", TypeKind::Signed, 8},
    {"unsigned long long", TypeKind::Unsigned, 8},
    {"float", TypeKind::Float, 4},
    {"double", TypeKind::Float, 8},
    {"long double", TypeKind::Float, 16},
    {"bool", TypeKind::Boolean, 1},
    {"int8_t", TypeKind::Signed, 1},
    {"uint8_t", TypeKind::Unsigned, 1},
    {"int16_t", TypeKind::Signed, 2},
    {"uint16_t", TypeKind::Unsigned, 2},
    {"int32_t", TypeKind::Signed, 4},
    {"uint32_t", TypeKind::Unsigned, 4},
    {"int64_t", TypeKind::Signed, 8},
    {"uint64_t", TypeKind::Unsigned, 8},
    {"size_t", TypeKind::Unsigned, 8},
    {"uintptr_t", TypeKind::Unsigned, 8},
};

bool in_word(char one) {
  return std::isalnum(static_cast<unsigned char>(one)) || one == '_';
}

// "long unsigned int", "unsigned", "short int": one name for each type (C11, 6.7.2).
std::string canonical_base(const std::string& name) {
  unsigned longs = 0, known = 0, words = 0;
  bool is_unsigned = false, is_signed = false, is_short = false, is_char = false, is_double = false;
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find(' ', at), name.size());
    const std::string word = name.substr(at, end - at);
    at = end + 1;
    ++words;
    ++known;
    if (word == "unsigned")
      is_unsigned = true;
    else if (word == "signed")
      is_signed = true;
    else if (word == "long")
      ++longs;
    else if (word == "short")
      is_short = true;
    else if (word == "char")
      is_char = true;
    else if (word == "double")
      is_double = true;
    else if (word != "int")
      --known;
  }
  if (known != words) return name == "_Bool" ? "bool" : name;
  if (is_char) return is_unsigned ? "unsigned char" : is_signed ? "signed char" : "char";
  if (is_double) return longs > 0 ? "long double" : "double";
  const std::string base = is_short ? "short" : longs >= 2 ? "long long" : longs == 1 ? "long" : "int";
  return is_unsigned ? "unsigned " + base : base;
}

// With spaces as compilers write them: "Pair<Pair<int, char>, int> ", `end` between two of >.
std::string template_name(const std::string& name, std::string_view end) {
  if (name.find('<') == std::string::npos) return name;
  std::string spelled;
  for (size_t at = 0; at < name.size(); ++at) {
    const char one = name[at], next = at + 1 < name.size() ? name[at + 1] : '\0';
    const bool between_words = in_word(spelled.empty() ? '\0' : spelled.back()) && in_word(next);
    if (one == ' ' && !between_words) continue;
    if (one == '>' && spelled.ends_with('>'))
      spelled += end.substr(1);
    else
      spelled += one;
    if (one == ',') spelled += ' ';
  }
  return spelled;
}

Value integer_of(const Type* type, uint64_t bits) {
  std::vector<uint8_t> bytes(type->stripped().size);
  std::memcpy(bytes.data(), &bits, std::min(sizeof(bits), bytes.size()));
  return Value::of_bytes(type, std::move(bytes));
}

}  // namespace

const Type* ExpressionNames::find_base(const std::string& name) {
  const std::string canonical = canonical_base(name);
  for (const NamedBase& one : kBases)
    if (canonical == one.name) return program_.base(one.name, one.kind, one.size);
  return nullptr;
}

const Type* ExpressionNames::find_type(const std::string& name) {
  const std::string canonical = canonical_base(name);
  const bool is_c = canonical != name || name == "int" || name == "char" || name == "long" || name == "short" ||
                    name == "float" || name == "double" || name == "bool";
  if (is_c)
    if (const Type* base = find_base(name)) return base;
  if (const Type* type = program_.find_type(name, frame_)) return type;
  for (const char* end : {"> >", ">>"})  // g++ and clang
    if (const std::string spelled = template_name(name, end); spelled != name)
      if (const Type* type = program_.find_type(spelled, frame_)) return type;
  return find_base(name);
}

bool ExpressionNames::is_type(const std::string& name) {
  if (frame_ && frame_->find(name)) return false;
  return name == "void" || find_type(name) != nullptr;
}

std::optional<Value> ExpressionNames::find(const std::string& name) {
  if (frame_) {
    if (auto local = frame_->find(name)) return local;
    // A member of the object whose function this is.
    if (name.find("::") == std::string::npos)
      if (const auto object = frame_->find("this"); object && object->type && object->type->stripped().is_pointer()) {
        const Type* target = object->type->stripped().target();
        if (target && target->stripped().is_struct() && program_.reader().has_member(target->stripped(), name)) {
          const auto whole = program_.reader().dereference(*object);
          if (!whole) return Value::unknown(nullptr, whole.error());
          auto member = program_.reader().find_member(*whole, name);
          return member ? *member : Value::unknown(nullptr, member.error());
        }
      }
  }
  if (auto global = program_.find_global(name, frame_)) return global;
  if (auto function = program_.find_function(name, frame_)) return function;
  return std::nullopt;
}

std::optional<Value> ExpressionNames::find_enumerator(const std::string& name) {
  if (const auto found = program_.find_enumerator(name, frame_))
    return integer_of(found->type, static_cast<uint64_t>(found->value));
  // Colour::Red: the enumeration is a type of that name.
  const size_t at = name.rfind("::");
  if (at == std::string::npos) return std::nullopt;
  const Type* type = program_.find_type(name.substr(0, at), frame_);
  if (!type) return std::nullopt;
  for (const Enumerator& one : type->stripped().complete().enumerators)
    if (one.name == name.substr(at + 2)) return integer_of(type, static_cast<uint64_t>(one.value));
  return std::nullopt;
}

Result<Value> ExpressionNames::find_register(const std::string& name) {
  if (!frame_) return failure(ErrorKind::BadInput, "registers belong to a frame, and none was chosen;");
  return register_value(program_, *frame_, name);
}

}  // namespace mortem::inspector
