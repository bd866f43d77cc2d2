#include "inspector/values/expression_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "snapshot/format/registers.h"

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
  // Colour::Red: the enumeration is a type of that name.
  const size_t at = name.rfind("::");
  if (at == std::string::npos) return std::nullopt;
  const Type* type = program_.find_type(name.substr(0, at), frame_);
  if (!type) return std::nullopt;
  for (const Enumerator& one : type->stripped().complete().enumerators)
    if (one.name == name.substr(at + 2)) return integer_of(type, static_cast<uint64_t>(one.value));
  return std::nullopt;
}

Result<Value> ExpressionNames::register_value(const std::string& text) {
  if (!frame_) return failure(ErrorKind::BadInput, "registers belong to a frame, and none was chosen;");
  std::string name = text;
  if (name == "pc") name = "rip";
  if (name == "sp") name = "rsp";
  if (name == "fp") name = "rbp";
  unsigned size = 8;
  uint64_t number = ~uint64_t{0};
  for (const format::RegisterDescription& one : format::kGeneralRegisters) {
    if (one.dwarf_number < 0 || one.dwarf_number > 16) continue;
    const std::string whole = one.name;
    if (name == whole) number = static_cast<uint64_t>(one.dwarf_number);
    // eax, r8d: the low half.
    if (whole.size() == 3 && whole[0] == 'r' && std::isalpha(static_cast<unsigned char>(whole[1])) &&
        name == "e" + whole.substr(1))
      number = static_cast<uint64_t>(one.dwarf_number), size = 4;
    if (name == whole + "d" && std::isdigit(static_cast<unsigned char>(whole[1])))
      number = static_cast<uint64_t>(one.dwarf_number), size = 4;
  }
  if (name.starts_with("xmm") && name.size() > 3 && name.size() < 6) {
    const int which = std::atoi(name.c_str() + 3);
    if (which >= 0 && which < 16 && name == fmt::format("xmm{}", which)) {
      number = 17 + static_cast<uint64_t>(which);
      size = 16;
    }
  }
  if (number == ~uint64_t{0}) return failure(ErrorKind::BadInput, fmt::format("there is no register ${}", text));
  const Type* type = size == 16                                        ? program_.array_of(find_base("double"), 2, true)
                     : size == 4                                       ? find_base("int")
                     : name == "rip" || name == "rsp" || name == "rbp" ? program_.pointer_to(nullptr)
                                                                       : find_base("long");
  auto bytes = frame_->register_bytes(number);
  if (!bytes) return Value::unknown(type, bytes.error());
  bytes->resize(size);
  return Value::of_bytes(type, std::move(*bytes));
}

}  // namespace mortem::inspector
