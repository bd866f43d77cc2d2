#include "inspector/symbols/index/dwarf_abbreviations.h"

#include <array>

#include "inspector/symbols/index/dwarf_constants.h"

namespace mortem::inspector::index {
namespace {

constexpr uint64_t kLargestDenseCode = 1 << 16;

Abbreviation::Role role_of(uint16_t number) {
  switch (number) {
    case tag::kSubprogram:
    case tag::kInlinedSubroutine:
      return Abbreviation::Role::Subroutine;
    case tag::kCallSite:
    case tag::kGnuCallSite:
      return Abbreviation::Role::CallSite;
    case tag::kArrayType:
    case tag::kClassType:
    case tag::kEnumerationType:
    case tag::kStructureType:
    case tag::kSubroutineType:
    case tag::kUnionType:
    case tag::kInterfaceType:
      return Abbreviation::Role::Type;
    default:
      return Abbreviation::Role::Other;
  }
}

// What fixed_size() answers, or which part of the encoding says it.
constexpr int kNotFixed = -1, kAsAddress = -2, kAsOffset = -3, kAsReference = -4;

constexpr int size_of_form(uint16_t number) {
  switch (number) {
    case form::kFlagPresent:
    case form::kImplicitConst:
      return 0;
    case form::kData1:
    case form::kRef1:
    case form::kFlag:
    case form::kStrx1:
    case form::kAddrx1:
      return 1;
    case form::kData2:
    case form::kRef2:
    case form::kStrx2:
    case form::kAddrx2:
      return 2;
    case form::kStrx3:
    case form::kAddrx3:
      return 3;
    case form::kData4:
    case form::kRef4:
    case form::kStrx4:
    case form::kAddrx4:
    case form::kRefSup4:
      return 4;
    case form::kData8:
    case form::kRef8:
    case form::kRefSig8:
    case form::kRefSup8:
      return 8;
    case form::kData16:
      return 16;
    case form::kAddr:
      return kAsAddress;
    case form::kRefAddr:
      return kAsReference;
    case form::kStrp:
    case form::kStrpSup:
    case form::kLineStrp:
    case form::kSecOffset:
    case form::kGnuRefAlt:
    case form::kGnuStrpAlt:
      return kAsOffset;
    default:
      return kNotFixed;
  }
}

constexpr auto kSizes = [] {
  std::array<int8_t, form::kAddrx4 + 1> sizes{};
  for (uint16_t number = 0; number < sizes.size(); ++number) sizes[number] = static_cast<int8_t>(size_of_form(number));
  return sizes;
}();

}  // namespace

int fixed_size(uint16_t number, const Encoding& encoding) {
  const int size = number < kSizes.size() ? kSizes[number] : size_of_form(number);
  if (size >= kNotFixed) return size;
  if (size == kAsOffset) return encoding.offset_size();
  // A reference to another unit: DWARF 2 had addresses there.
  return size == kAsAddress || encoding.version <= 2 ? encoding.address_size : encoding.offset_size();
}

void skip_form(ByteCursor& cursor, uint16_t number, const Encoding& encoding) {
  if (const int size = fixed_size(number, encoding); size >= 0) return cursor.skip(static_cast<uint64_t>(size));
  switch (number) {
    case form::kBlock1:
      return cursor.skip(cursor.u8());
    case form::kBlock2:
      return cursor.skip(cursor.u16());
    case form::kBlock4:
      return cursor.skip(cursor.u32());
    case form::kBlock:
    case form::kExprloc:
      return cursor.skip(cursor.uleb());
    case form::kString:
      cursor.text();
      return;
    case form::kSdata:
    case form::kUdata:
    case form::kRefUdata:
    case form::kStrx:
    case form::kAddrx:
    case form::kLoclistx:
    case form::kRnglistx:
    case form::kGnuAddrIndex:
    case form::kGnuStrIndex:
      return cursor.skip_leb();
    case form::kIndirect: {
      const uint64_t real = cursor.uleb();
      if (real == form::kIndirect || real == form::kImplicitConst || real > 0xFFFF) break;
      return skip_form(cursor, static_cast<uint16_t>(real), encoding);
    }
    default:
      break;
  }
  cursor.skip(~uint64_t{0});  // nobody knows where the next one starts
}

std::unique_ptr<AbbreviationTable> AbbreviationTable::decode(Bytes section, uint64_t offset, const Encoding& encoding) {
  auto table = std::make_unique<AbbreviationTable>();
  table->encoding_ = encoding;
  ByteCursor cursor(section, offset);
  while (const uint64_t code = cursor.uleb()) {
    Abbreviation one;
    one.tag = static_cast<uint16_t>(cursor.uleb());
    one.role = role_of(one.tag);
    one.has_children = cursor.u8() != 0;
    one.first_attribute = static_cast<uint32_t>(table->attributes_.size());
    one.first_step = static_cast<uint32_t>(table->steps_.size());
    while (true) {
      AttributeShape shape;
      const uint64_t name = cursor.uleb(), kind = cursor.uleb();
      if (kind == form::kImplicitConst) {
        shape.implicit = static_cast<uint32_t>(table->implicit_values_.size());
        table->implicit_values_.push_back(cursor.sleb());
      }
      if ((name == 0 && kind == 0) || cursor.bad()) break;
      // Numbers that nobody has given out: kept, so that the entry counts as one that cannot be stepped over.
      shape.attribute = name > 0xFFFF ? 0xFFFF : static_cast<uint16_t>(name);
      shape.form = kind > 0xFFFF ? 0xFFFF : static_cast<uint16_t>(kind);
      if (shape.attribute == attribute::kLowPc || shape.attribute == attribute::kRanges) one.has_code = true;
      if (shape.attribute == attribute::kConstValue) one.has_constant = true;
      table->attributes_.push_back(shape);
      table->add_step(one, shape);
    }
    if (cursor.bad()) break;
    one.attribute_count = static_cast<uint32_t>(table->attributes_.size()) - one.first_attribute;
    one.step_count = static_cast<uint32_t>(table->steps_.size()) - one.first_step;
    one.valid = true;
    if (code > kLargestDenseCode) {
      table->sparse_.try_emplace(code, one);
      continue;
    }
    if (code >= table->dense_.size()) table->dense_.resize(code + 1);
    if (!table->dense_[code].valid) table->dense_[code] = one;
  }
  return table;
}

void AbbreviationTable::add_step(Abbreviation& to, const AttributeShape& shape) {
  using Kind = Step::Kind;
  const int size = fixed_size(shape.form, encoding_);
  Step step;
  if (shape.attribute == attribute::kSibling && shape.form == form::kRef4) {
    step.kind = Kind::Sibling;
  } else if (size >= 0) {
    if (size == 0) return;
    if (steps_.size() > to.first_step && steps_.back().kind == Kind::Fixed) {
      steps_.back().size += static_cast<uint32_t>(size);
      return;
    }
    step.size = static_cast<uint32_t>(size);
  } else {
    switch (shape.form) {
      case form::kBlock1:
        step.kind = Kind::Block1;
        break;
      case form::kBlock2:
        step.kind = Kind::Block2;
        break;
      case form::kBlock4:
        step.kind = Kind::Block4;
        break;
      case form::kBlock:
      case form::kExprloc:
        step.kind = Kind::Block;
        break;
      case form::kString:
        step.kind = Kind::Text;
        break;
      case form::kSdata:
      case form::kUdata:
      case form::kRefUdata:
      case form::kStrx:
      case form::kAddrx:
      case form::kLoclistx:
      case form::kRnglistx:
      case form::kGnuAddrIndex:
      case form::kGnuStrIndex:
        step.kind = Kind::Leb;
        break;
      default:
        step.kind = Kind::Indirect;
        step.size = shape.form;
    }
  }
  steps_.push_back(step);
}

uint64_t AbbreviationTable::step_over(const Abbreviation& one, ByteCursor& cursor) const {
  uint64_t sibling = 0;
  const Step* step = steps_.data() + one.first_step;
  for (const Step* end = step + one.step_count; step != end; ++step) {
    switch (step->kind) {
      case Step::Kind::Fixed:
        cursor.skip(step->size);
        break;
      case Step::Kind::Leb:
        cursor.skip_leb();
        break;
      case Step::Kind::Text:
        cursor.text();
        break;
      case Step::Kind::Block1:
        cursor.skip(cursor.u8());
        break;
      case Step::Kind::Block2:
        cursor.skip(cursor.u16());
        break;
      case Step::Kind::Block4:
        cursor.skip(cursor.u32());
        break;
      case Step::Kind::Block:
        cursor.skip(cursor.uleb());
        break;
      case Step::Kind::Indirect:
        skip_form(cursor, static_cast<uint16_t>(step->size), encoding_);
        break;
      case Step::Kind::Sibling:
        sibling = cursor.u32();
        break;
    }
  }
  return sibling;
}

}  // namespace mortem::inspector::index
