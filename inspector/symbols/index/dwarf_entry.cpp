#include "inspector/symbols/index/dwarf_entry.h"

#include "inspector/symbols/index/dwarf_constants.h"

namespace mortem::inspector::index {
namespace {

constexpr int kDeepestType = 64;  // of what, of what…: a type that refers to itself ends here
constexpr int kMostDimensions = 256;

}  // namespace

std::optional<DwarfEntry> DwarfEntry::at(DwarfFile& dwarf, uint64_t offset) {
  const auto index = dwarf.unit_of(offset);
  if (!index) return std::nullopt;
  const Unit& unit = dwarf.prepare(*index);
  if (!unit.abbreviations || offset < unit.entries) return std::nullopt;
  ByteCursor cursor(dwarf.sections().information, offset, unit.end);
  DwarfEntry entry;
  entry.file_ = &dwarf;
  entry.unit_ = *index;
  entry.offset_ = offset;
  entry.shape_ = unit.abbreviations->find(cursor.uleb());
  return entry.shape_ ? std::optional(entry) : std::nullopt;
}

Value DwarfEntry::find(uint16_t attribute) const {
  ByteCursor cursor = attributes();
  for (const AttributeShape& one : unit().abbreviations->attributes(*shape_)) {
    if (one.attribute == attribute) return file_->read_value(cursor, unit(), one);
    skip_form(cursor, one.form, unit().encoding);
  }
  return {};
}

uint16_t DwarfEntry::form_of(uint16_t attribute, ByteCursor& cursor) const {
  cursor = attributes();
  for (const AttributeShape& one : unit().abbreviations->attributes(*shape_)) {
    if (one.attribute == attribute)
      return one.form == form::kIndirect ? static_cast<uint16_t>(cursor.uleb()) : one.form;
    skip_form(cursor, one.form, unit().encoding);
  }
  return 0;
}

std::optional<Bytes> DwarfEntry::block(uint16_t attribute) const {
  ByteCursor cursor;
  uint64_t length = 0;
  switch (form_of(attribute, cursor)) {
    case form::kBlock1:
      length = cursor.u8();
      break;
    case form::kBlock2:
      length = cursor.u16();
      break;
    case form::kBlock4:
      length = cursor.u32();
      break;
    case form::kBlock:
    case form::kExprloc:
      length = cursor.uleb();
      break;
    default:
      return std::nullopt;
  }
  const Bytes block = cursor.block(length);
  return cursor.bad() ? std::nullopt : std::optional(block);
}

std::optional<uint64_t> DwarfEntry::list_index(uint16_t attribute) const {
  ByteCursor cursor;
  if (form_of(attribute, cursor) != form::kLoclistx) return std::nullopt;
  return cursor.uleb();
}

std::optional<DwarfEntry> DwarfEntry::reference(uint16_t attribute) const {
  const Value value = find(attribute);
  if (value.kind == Value::Kind::Reference) return at(*file_, value.number);
  if (value.kind == Value::Kind::AltReference && file_->alternate()) return at(*file_->alternate(), value.number);
  return std::nullopt;
}

namespace {

std::optional<int64_t> as_signed(const Value& value) {
  if (value.kind == Value::Kind::Constant || value.kind == Value::Kind::Signed)
    return static_cast<int64_t>(value.number);
  return std::nullopt;
}

std::optional<uint64_t> size_of_type(const DwarfEntry& type, int depth) {
  if (const Value size = type.find(attribute::kByteSize); size.kind == Value::Kind::Constant) return size.number;
  const uint64_t address_size = type.unit().encoding.address_size;
  const auto base = type.reference(attribute::kType);
  switch (type.tag()) {
    case tag::kPointerType:
    case tag::kReferenceType:
    case tag::kRvalueReferenceType:
      return address_size;
    case tag::kPointerToMemberType:
      return base && base->tag() == tag::kSubroutineType ? 2 * address_size : address_size;
    default:
      break;
  }
  if (!base || depth >= kDeepestType) return std::nullopt;
  std::optional<uint64_t> size = size_of_type(*base, depth + 1);
  if (!size || type.tag() != tag::kArrayType) return size;
  int seen = 0;
  type.for_each_below([&](const DwarfEntry& dimension, uint64_t) {
    if (++seen > kMostDimensions) return NextEntry::None;
    if (dimension.tag() != tag::kSubrangeType) return NextEntry::Behind;
    if (const Value count = dimension.find(attribute::kCount); count.kind == Value::Kind::Constant)
      *size *= count.number;
    if (const auto last = as_signed(dimension.find(attribute::kUpperBound))) {
      const int64_t first = as_signed(dimension.find(attribute::kLowerBound)).value_or(0);
      *size *= static_cast<uint64_t>(*last) - static_cast<uint64_t>(first) + 1;
    }
    return NextEntry::Behind;
  });
  if (seen > kMostDimensions) return std::nullopt;
  return size;
}

}  // namespace

std::optional<uint64_t> size_of_type(const DwarfEntry& type) {
  return size_of_type(type, 0);
}

}  // namespace mortem::inspector::index
