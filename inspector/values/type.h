// Types of a program's variables, as its debug information describes them; independent of how that is read. Members
// and targets are filled in when first asked for: the types of a large program all hang together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mortem::inspector {

class Type;

enum class TypeKind : uint8_t {
  Void,
  Boolean,
  Signed,
  Unsigned,
  SignedCharacter,
  UnsignedCharacter,  // also UTF-16 and UTF-32 characters
  Float,
  Complex,  // two floats
  Pointer,
  Reference,
  RvalueReference,
  Array,
  Struct,
  Class,
  Union,
  Enumeration,
  Typedef,
  Qualified,  // const, volatile, restrict, atomic: `name` is the word
  Function,
  MemberPointer,
  Unknown,
};

enum class Language : uint8_t { C, Cpp, Rust, Go, Other };

struct Member {
  std::string name;  // empty: anonymous
  const Type* type = nullptr;
  uint64_t bit_offset = 0;                 // from the start of the object
  uint64_t bit_size = 0;                   // of a bit-field; 0: as large as its type
  uint64_t alignment = 0;                  // bytes, where it was asked for; 0: its type's
  std::vector<uint8_t> offset_expression;  // not empty: the offset is computed from the object (virtual bases)
  bool base = false;                       // a base class
  bool is_public = true;                   // of a base class: how it is derived from
  bool artificial = false;                 // made by the compiler (_vptr.Foo)
};

struct Enumerator {
  std::string name;
  int64_t value = 0;
};

// DW_TAG_variant: the members that are there when the discriminant has one of these values.
struct Variant {
  std::vector<std::pair<uint64_t, uint64_t>> values;  // first and last, as unsigned bits; empty: every other value
  std::vector<Member> members;
};

struct TypeDetails {
  const Type* target = nullptr;  // pointed to, element, underlying; of a function: what it returns; null: void
  std::vector<Member> members;   // bases first
  std::vector<std::string> static_members;  // declared in the class: variables of their own
  std::vector<Enumerator> enumerators;
  std::vector<const Type*> parameters;  // of a function
  bool variable_parameters = false;
  const Type* owner = nullptr;  // of a member pointer: the class
  std::optional<Member> discriminant;
  std::vector<Variant> variants;
  std::vector<std::pair<std::string, const Type*>> template_types;  // DW_TAG_template_type_parameter
};

class TypeSource {
 public:
  virtual ~TypeSource() = default;
  virtual void complete(const Type& type, TypeDetails& to) = 0;
};

class Type {
 public:
  TypeKind kind = TypeKind::Unknown;
  Language language = Language::Other;
  std::string name;               // qualified by namespaces and classes; empty: has none
  uint64_t size = 0;              // bytes
  bool has_size = false;          // false: an incomplete type, or an array of unknown length
  uint64_t alignment = 0;         // bytes, where it was asked for (alignas); 0: its natural one
  bool declaration = false;       // only declared, and defined nowhere that we know
  std::optional<uint64_t> count;  // of an array
  bool dynamic = false;           // an array whose length is known only in a frame, or made of such
  bool vector = false;            // a SIMD vector
  TypeSource* source = nullptr;   // null: `details` was filled by whoever made it
  uint64_t source_key = 0;
  mutable TypeDetails details;
  mutable bool completed = false;

  const TypeDetails& complete() const {
    if (!completed) {
      completed = true;  // before: a type may hold itself
      if (source) source->complete(*this, details);
    }
    return details;
  }
  const Type* target() const { return complete().target; }
  std::span<const Member> members() const { return complete().members; }
  const Type& stripped() const;  // without typedefs and qualifiers
  bool is_struct() const { return kind == TypeKind::Struct || kind == TypeKind::Class || kind == TypeKind::Union; }
  bool is_integer() const;  // after stripped(): what counts as a number without a fraction
  bool is_signed() const;
  bool is_character() const { return kind == TypeKind::SignedCharacter || kind == TypeKind::UnsignedCharacter; }
  bool is_pointer() const {
    return kind == TypeKind::Pointer || kind == TypeKind::Reference || kind == TypeKind::RvalueReference;
  }
};

// In bytes, by the x86-64 psABI (section 3.1.2); nothing: it is not known. Debug information does not say of a
// structure that it is packed: one whose members do not stand as they would otherwise is taken for that.
std::optional<uint64_t> alignment_of(const Type* type);

// As the language writes it: "const char *", "int [3][4]", "void (*)(int)".
std::string type_text(const Type* type);

}  // namespace mortem::inspector
