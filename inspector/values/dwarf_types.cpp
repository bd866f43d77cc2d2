#include "inspector/values/dwarf_types.h"

#include <fmt/format.h>

#include "inspector/symbols/type_reference.h"

namespace mortem::inspector {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

namespace {

constexpr int kMaximumTypeDepth = 40;        // of types in types, as they are made
constexpr uint64_t kMaximumCount = 1 << 30;  // elements of an array; more is a broken file
constexpr size_t kMaximumMembers = 100000;

std::optional<uint64_t> constant(const DWARFDie& die, dwarf::Attribute attribute) {
  const auto value = find_attribute(die, attribute);
  if (!value) return std::nullopt;
  if (const auto number = value->getAsUnsignedConstant()) return number;
  if (const auto number = value->getAsSignedConstant()) return static_cast<uint64_t>(*number);
  return std::nullopt;
}

TypeKind base_kind(uint64_t encoding) {
  switch (encoding) {
    case dwarf::DW_ATE_boolean:
      return TypeKind::Boolean;
    case dwarf::DW_ATE_signed:
      return TypeKind::Signed;
    case dwarf::DW_ATE_unsigned:
    case dwarf::DW_ATE_address:
      return TypeKind::Unsigned;
    case dwarf::DW_ATE_signed_char:
      return TypeKind::SignedCharacter;
    case dwarf::DW_ATE_unsigned_char:
    case dwarf::DW_ATE_UTF:
    case dwarf::DW_ATE_ASCII:
    case dwarf::DW_ATE_UCS:
      return TypeKind::UnsignedCharacter;
    case dwarf::DW_ATE_float:
      return TypeKind::Float;
    case dwarf::DW_ATE_complex_float:
      return TypeKind::Complex;
    default:
      return TypeKind::Unknown;
  }
}

// Without a number the bits follow zero-extended: Rust's and C's compilers both write them either way.
uint64_t discriminant_value(const llvm::DWARFFormValue& value) {
  if (const auto number = value.getAsUnsignedConstant()) return *number;
  if (const auto number = value.getAsSignedConstant()) return static_cast<uint64_t>(*number);
  uint64_t bits = 0;
  if (const auto block = value.getAsBlock())
    for (size_t index = 0; index < block->size() && index < 8; ++index) bits |= uint64_t{(*block)[index]} << 8 * index;
  return bits;
}

}  // namespace

Type* DwarfTypes::add(Type type) {
  all_.push_back(std::make_unique<Type>(std::move(type)));
  return all_.back().get();
}

const Type* DwarfTypes::of(const DWARFDie& die) {
  const auto value = find_attribute(die, dwarf::DW_AT_type);
  return value ? at(referenced_entry(die, *value)) : nullptr;
}

const Type* DwarfTypes::at(const DWARFDie& die) {
  if (!die) return nullptr;
  const auto found = by_entry_.find(reference_to(die));
  if (found != by_entry_.end()) return found->second;
  if (depth_ > kMaximumTypeDepth) return base("?", TypeKind::Unknown, 0);
  ++depth_;
  const Type* type = make(die);
  --depth_;
  by_entry_[reference_to(die)] = type;
  return type;
}

const Type* DwarfTypes::make(const DWARFDie& die) {
  Type type;
  type.language = language_of(*die.getDwarfUnit());
  type.name = qualified_name(die);
  type.alignment = constant(die, dwarf::DW_AT_alignment).value_or(0);
  if (const auto size = constant(die, dwarf::DW_AT_byte_size)) {
    type.size = *size;
    type.has_size = true;
  }
  type.source = this;
  entries_.push_back(reference_to(die));
  type.source_key = entries_.size() - 1;
  switch (die.getTag()) {
    case dwarf::DW_TAG_base_type:
      type.kind = base_kind(dwarf::toUnsigned(die.find(dwarf::DW_AT_encoding), 0));
      type.completed = true;
      break;
    case dwarf::DW_TAG_pointer_type:
    case dwarf::DW_TAG_reference_type:
    case dwarf::DW_TAG_rvalue_reference_type:
      type.kind = die.getTag() == dwarf::DW_TAG_pointer_type     ? TypeKind::Pointer
                  : die.getTag() == dwarf::DW_TAG_reference_type ? TypeKind::Reference
                                                                 : TypeKind::RvalueReference;
      if (!type.has_size) type.size = 8;
      type.has_size = true;
      break;
    case dwarf::DW_TAG_ptr_to_member_type: {
      type.kind = TypeKind::MemberPointer;
      type.name.clear();
      // Itanium C++ ABI 2.3: a ptrdiff_t, or two for functions.
      const DWARFDie target = die.getAttributeValueAsReferencedDie(dwarf::DW_AT_type);
      if (!type.has_size) type.size = target && target.getTag() == dwarf::DW_TAG_subroutine_type ? 16 : 8;
      type.has_size = true;
      break;
    }
    case dwarf::DW_TAG_structure_type:
    case dwarf::DW_TAG_class_type:
    case dwarf::DW_TAG_interface_type:
    case dwarf::DW_TAG_union_type:
      if (has_flag(die, dwarf::DW_AT_declaration)) {
        type.kind = TypeKind::Typedef;  // stands for its definition, which is looked for when it is needed
        break;
      }
      type.kind = die.getTag() == dwarf::DW_TAG_union_type   ? TypeKind::Union
                  : die.getTag() == dwarf::DW_TAG_class_type ? TypeKind::Class
                                                             : TypeKind::Struct;
      break;
    case dwarf::DW_TAG_enumeration_type:
      type.kind = has_flag(die, dwarf::DW_AT_declaration) && !type.has_size ? TypeKind::Typedef : TypeKind::Enumeration;
      break;
    case dwarf::DW_TAG_typedef:
    case dwarf::DW_TAG_template_alias:
      type.kind = TypeKind::Typedef;
      type.details.target = of(die);
      type.completed = true;
      break;
    case dwarf::DW_TAG_const_type:
    case dwarf::DW_TAG_volatile_type:
    case dwarf::DW_TAG_restrict_type:
    case dwarf::DW_TAG_atomic_type:
      type.kind = TypeKind::Qualified;
      type.name = die.getTag() == dwarf::DW_TAG_const_type      ? "const"
                  : die.getTag() == dwarf::DW_TAG_volatile_type ? "volatile"
                  : die.getTag() == dwarf::DW_TAG_restrict_type ? "restrict"
                                                                : "_Atomic";
      type.details.target = of(die);
      type.completed = true;
      break;
    case dwarf::DW_TAG_array_type:
      return make_array(die);
    case dwarf::DW_TAG_subroutine_type:
    case dwarf::DW_TAG_subprogram:
      type.kind = TypeKind::Function;
      if (die.getTag() == dwarf::DW_TAG_subprogram) type.name.clear();
      break;
    case dwarf::DW_TAG_unspecified_type:
      type.kind = type.name == "void" ? TypeKind::Void : TypeKind::Unknown;
      type.completed = true;
      break;
    default:
      type.kind = TypeKind::Unknown;
      type.completed = true;
  }
  if ((type.kind == TypeKind::Typedef || type.kind == TypeKind::Qualified) && type.completed)
    if (const Type* target = type.details.target) {
      type.size = target->size;
      type.has_size = target->has_size;
      type.dynamic = target->dynamic;
    }
  return add(std::move(type));
}

const Type* DwarfTypes::make_array(const DWARFDie& die) {
  std::vector<DWARFDie> ranges;
  for (const DWARFDie& child : die.children())
    if (child.getTag() == dwarf::DW_TAG_subrange_type || child.getTag() == dwarf::DW_TAG_enumeration_type)
      ranges.push_back(child);
  const Type* element = of(die);
  const std::string name = qualified_name(die);
  const Language language = language_of(*die.getDwarfUnit());
  // int a[2][3]: the ranges 2 and 3; an array of 2 arrays of 3 (DWARF 5, section 5.5).
  for (size_t left = std::max<size_t>(ranges.size(), 1); left-- > 0;) {
    Type type;
    type.kind = TypeKind::Array;
    type.language = language;
    if (left == 0) type.name = name;
    type.vector = has_flag(die, dwarf::DW_AT_GNU_vector);
    type.details.target = element;
    type.completed = true;
    bool computed = false;
    if (left < ranges.size()) {
      const DWARFDie& range = ranges[left];
      const uint64_t lower = constant(range, dwarf::DW_AT_lower_bound).value_or(0);  // 0 in all languages we know
      if (const auto count = constant(range, dwarf::DW_AT_count)) {
        type.count = *count;
      } else if (const auto value = range.find(dwarf::DW_AT_upper_bound)) {
        // -1 in any width is C's zero-length array.
        if (const auto upper = constant(range, dwarf::DW_AT_upper_bound))
          type.count = *upper == 0xFFFFFFFF || *upper == ~uint64_t{0} ? 0 : *upper - lower + 1;
        else
          computed = true;
      } else if (range.find(dwarf::DW_AT_count)) {
        computed = true;
      }
      if (type.count && *type.count > kMaximumCount) type.count.reset();
    }
    const Type* whole = element ? &element->stripped() : nullptr;
    type.dynamic = computed || (element && element->dynamic);
    if (type.count && whole && whole->has_size && !type.dynamic &&
        !__builtin_mul_overflow(*type.count, whole->size, &type.size))
      type.has_size = true;
    const Type* made = add(std::move(type));
    if (computed) ranges_[made] = reference_to(ranges[left]);
    element = made;
  }
  return element;
}

Member DwarfTypes::member_of(const DWARFDie& die) {
  Member member;
  member.name = entry_name(die);
  member.type = of(die);
  member.artificial = has_flag(die, dwarf::DW_AT_artificial);
  member.base = die.getTag() == dwarf::DW_TAG_inheritance;
  // DWARF 5, section 5.7.3: what is not said is as the source's keyword has it.
  const bool in_class = die.getParent().getTag() == dwarf::DW_TAG_class_type;
  const uint64_t access = in_class ? dwarf::DW_ACCESS_private : dwarf::DW_ACCESS_public;
  member.is_public = constant(die, dwarf::DW_AT_accessibility).value_or(access) == dwarf::DW_ACCESS_public;
  member.alignment = constant(die, dwarf::DW_AT_alignment).value_or(0);
  if (const auto value = die.find(dwarf::DW_AT_data_member_location)) {
    if (const auto number = value->getAsUnsignedConstant())
      member.bit_offset = *number * 8;
    else if (const auto block = value->getAsBlock())
      member.offset_expression.assign(block->begin(), block->end());
    // DWARF 2 writes a plain offset as DW_OP_plus_uconst.
    if (!member.offset_expression.empty() && member.offset_expression[0] == dwarf::DW_OP_plus_uconst) {
      uint64_t offset = 0;
      bool whole = false;
      for (size_t index = 1; index < member.offset_expression.size() && index < 10; ++index) {
        offset |= uint64_t{member.offset_expression[index] & 0x7Fu} << 7 * (index - 1);
        whole = index + 1 == member.offset_expression.size() && (member.offset_expression[index] & 0x80) == 0;
      }
      if (whole) {
        member.bit_offset = offset * 8;
        member.offset_expression.clear();
      }
    }
  }
  if (const auto bits = constant(die, dwarf::DW_AT_bit_size)) {
    member.bit_size = *bits;
    if (const auto offset = constant(die, dwarf::DW_AT_data_bit_offset)) {
      member.bit_offset += *offset;
    } else if (const auto from_top = constant(die, dwarf::DW_AT_bit_offset)) {
      // DWARF 3, section 5.5.6: counted from the most significant bit of a storage unit.
      const uint64_t storage =
          constant(die, dwarf::DW_AT_byte_size).value_or(member.type ? member.type->stripped().size : 0) * 8;
      member.bit_offset += storage - *from_top - *bits;
    }
  } else if (const auto offset = constant(die, dwarf::DW_AT_data_bit_offset)) {
    member.bit_offset += *offset;
  }
  return member;
}

void DwarfTypes::read_variants(const DWARFDie& part, TypeDetails& to) {
  if (const DWARFDie discriminant = part.getAttributeValueAsReferencedDie(dwarf::DW_AT_discr))
    to.discriminant = member_of(discriminant);
  for (const DWARFDie& child : part.children()) {
    if (child.getTag() != dwarf::DW_TAG_variant) continue;
    Variant variant;
    if (const auto value = child.find(dwarf::DW_AT_discr_value)) {
      const uint64_t bits = discriminant_value(*value);
      variant.values.push_back({bits, bits});
    }
    for (const DWARFDie& member : child.children())
      if (member.getTag() == dwarf::DW_TAG_member) variant.members.push_back(member_of(member));
    to.variants.push_back(std::move(variant));
  }
}

void DwarfTypes::complete_struct(const Type&, const DWARFDie& die, TypeDetails& to) {
  for (const DWARFDie& child : die.children()) {
    if (to.members.size() > kMaximumMembers) return;
    switch (child.getTag()) {
      case dwarf::DW_TAG_member:
        if (has_flag(child, dwarf::DW_AT_external) || has_flag(child, dwarf::DW_AT_declaration))
          to.static_members.push_back(entry_name(child));
        else
          to.members.push_back(member_of(child));
        break;
      case dwarf::DW_TAG_variable:  // a static member from DWARF 5 on
        to.static_members.push_back(entry_name(child));
        break;
      case dwarf::DW_TAG_inheritance:
        to.members.push_back(member_of(child));
        if (to.members.back().type) to.members.back().name = to.members.back().type->name;
        break;
      case dwarf::DW_TAG_variant_part:
        read_variants(child, to);
        break;
      case dwarf::DW_TAG_template_type_parameter:
        to.template_types.emplace_back(entry_name(child), of(child));
        break;
      default:
        break;
    }
  }
}

void DwarfTypes::complete(const Type& type, TypeDetails& to) {
  const DWARFDie die = entries_[type.source_key].get();
  if (!die) return;
  switch (type.kind) {
    case TypeKind::Struct:
    case TypeKind::Class:
    case TypeKind::Union:
      return complete_struct(type, die, to);
    case TypeKind::Enumeration:
      to.target = of(die);
      for (const DWARFDie& child : die.children()) {
        if (child.getTag() != dwarf::DW_TAG_enumerator) continue;
        const auto value = child.find(dwarf::DW_AT_const_value);
        if (!value) continue;
        Enumerator one{entry_name(child), 0};
        if (const auto number = value->getAsSignedConstant())
          one.value = *number;
        else if (const auto bits = value->getAsUnsignedConstant())
          one.value = static_cast<int64_t>(*bits);
        to.enumerators.push_back(std::move(one));
      }
      return;
    case TypeKind::Function:
      to.target = of(die);
      for (const DWARFDie& child : die.children()) {
        if (child.getTag() == dwarf::DW_TAG_formal_parameter) to.parameters.push_back(of(child));
        if (child.getTag() == dwarf::DW_TAG_unspecified_parameters) to.variable_parameters = true;
      }
      return;
    case TypeKind::MemberPointer:
      to.target = of(die);
      to.owner = at(die.getAttributeValueAsReferencedDie(dwarf::DW_AT_containing_type));
      return;
    case TypeKind::Typedef: {  // a declaration
      if (const DWARFDie definition = find_definition_(die)) {
        to.target = at(definition);
        return;
      }
      Type unknown = type;
      unknown.kind = die.getTag() == dwarf::DW_TAG_union_type         ? TypeKind::Union
                     : die.getTag() == dwarf::DW_TAG_enumeration_type ? TypeKind::Enumeration
                                                                      : TypeKind::Struct;
      unknown.declaration = true;
      unknown.completed = true;
      unknown.details = {};
      to.target = add(std::move(unknown));
      return;
    }
    default:
      to.target = of(die);
  }
}

const Type* DwarfTypes::pointer_to(const Type* target, Language language) {
  const Type*& made = pointers_[target];
  if (!made) {
    Type type;
    type.kind = TypeKind::Pointer;
    type.language = target ? target->language : language;
    type.size = 8;
    type.has_size = type.completed = true;
    type.details.target = target;
    made = add(std::move(type));
  }
  return made;
}

const Type* DwarfTypes::array_of(const Type* element, uint64_t count, bool vector) {
  const Type*& made = arrays_[{element, count * 2 + vector}];
  if (!made) {
    Type type;
    type.kind = TypeKind::Array;
    type.language = element ? element->language : Language::C;
    type.count = count;
    type.vector = vector;
    if (element && element->stripped().has_size)
      type.has_size = !__builtin_mul_overflow(count, element->stripped().size, &type.size);
    type.completed = true;
    type.details.target = element;
    made = add(std::move(type));
  }
  return made;
}

const Type* DwarfTypes::base(const std::string& name, TypeKind kind, uint64_t size) {
  const Type*& made = bases_[name];
  if (!made) {
    Type type;
    type.kind = kind;
    type.language = Language::C;
    type.name = name;
    type.size = size;
    type.has_size = size != 0;
    type.completed = true;
    made = add(std::move(type));
  }
  return made;
}

const Type* DwarfTypes::made(Type type) {
  const Type*& made = bases_[type.name];
  if (!made) {
    type.language = Language::C;
    type.has_size = type.completed = true;
    made = add(std::move(type));
  }
  return made;
}

const Type* DwarfTypes::function_returning(const Type* result) {
  Type type;
  type.kind = TypeKind::Function;
  type.completed = true;
  type.details.target = result;
  return add(std::move(type));
}

const Type* DwarfTypes::in_frame(const Type* type, const Bound& bound, int depth) {
  constexpr int kMaximumWrappings = 8;
  if (!type || depth > kMaximumWrappings) return type;
  const bool pointer = type->kind == TypeKind::Pointer && type->name.empty();
  if (!type->dynamic && !pointer && type->kind != TypeKind::Reference) return type;
  const Type* target = type->target();
  const Type* resolved = in_frame(target, bound, depth + 1);
  const auto range = ranges_.find(type);
  if (resolved == target && range == ranges_.end()) return type;
  Type copy = *type;
  copy.source = nullptr;
  copy.completed = true;
  copy.details.target = resolved;
  if (range != ranges_.end()) {
    const DWARFDie die = range->second.get();
    const auto count = bound(die, dwarf::DW_AT_count);
    const auto upper = count ? std::nullopt : bound(die, dwarf::DW_AT_upper_bound);
    if (count && *count >= 0)
      copy.count = static_cast<uint64_t>(*count);
    else if (upper && *upper >= -1)
      copy.count = static_cast<uint64_t>(*upper + 1);
    if (copy.count && *copy.count > kMaximumCount) copy.count.reset();
  }
  if (copy.kind == TypeKind::Array) {
    copy.has_size = copy.count && resolved && resolved->stripped().has_size &&
                    !__builtin_mul_overflow(*copy.count, resolved->stripped().size, &copy.size);
  } else if (!type->is_pointer()) {
    copy.has_size = resolved && resolved->has_size;
    copy.size = resolved ? resolved->size : 0;
  }
  copy.dynamic = false;
  return add(std::move(copy));
}

}  // namespace mortem::inspector
