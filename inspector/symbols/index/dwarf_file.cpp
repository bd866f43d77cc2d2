#include "inspector/symbols/index/dwarf_file.h"

#include <algorithm>

#include "inspector/symbols/index/dwarf_constants.h"

namespace mortem::inspector::index {
namespace {

// DWARF 5, section 7.5.1
constexpr uint8_t kCompile = 1, kType = 2, kPartial = 3, kSkeleton = 4, kSplitCompile = 5, kSplitType = 6;
constexpr uint32_t kLongFormat = 0xFFFFFFFF, kReserved = 0xFFFFFFF0;

std::string_view text_of_section(Bytes section, uint64_t offset) {
  if (offset >= section.size()) return {};
  ByteCursor cursor(section, offset);
  const std::string_view text = cursor.text();
  return cursor.bad() ? std::string_view() : text;
}

}  // namespace

DwarfFile::DwarfFile(std::shared_ptr<const ElfImage> image, DwarfFile* alternate)
    : owner_(std::move(image)), sections_(owner_.sections()), alternate_(alternate) {
  find_units();
}

DwarfFile::DwarfFile(std::shared_ptr<const ElfImage> image, const DwarfSections& sections, const DwarfFile& linked,
                     const Unit& skeleton)
    : owner_(std::move(image),
             [&] {
               DwarfSections all = sections;
               all.addresses = linked.sections().addresses;
               all.ranges = linked.sections().ranges;
               return all;
             }()),
      sections_(owner_.sections()),
      alternate_(nullptr),
      skeleton_(skeleton) {
  find_units();
}

void DwarfFile::find_units() {
  constexpr size_t kSmallUnit = 2048;  // bytes: most are larger, and what is not used of the memory costs nothing
  units_.reserve(sections_.information.size() / kSmallUnit);
  ByteCursor cursor(sections_.information, 0);
  while (!cursor.at_end()) {
    Unit unit;
    unit.offset = cursor.offset();
    uint64_t length = cursor.u32();
    if (length == kLongFormat) {
      unit.encoding.is_64_bit = true;
      length = cursor.u64();
    } else if (length >= kReserved) {
      return;
    }
    if (cursor.bad() || length > cursor.left()) return;
    unit.end = cursor.offset() + length;
    unit.encoding.version = cursor.u16();
    uint8_t type = kCompile;
    if (unit.encoding.version >= 5) {
      type = cursor.u8();
      unit.encoding.address_size = cursor.u8();
      unit.abbreviations_offset = cursor.section_offset(unit.encoding.is_64_bit);
      if (type == kSkeleton || type == kSplitCompile) unit.part_id = cursor.u64();
      if (type == kType || type == kSplitType) cursor.skip(8 + unit.encoding.offset_size());
    } else {
      unit.abbreviations_offset = cursor.section_offset(unit.encoding.is_64_bit);
      unit.encoding.address_size = cursor.u8();
    }
    unit.is_type_unit = type == kType || type == kSplitType;
    unit.entries = cursor.offset();
    const bool known = unit.encoding.version >= 2 && unit.encoding.version <= 5 && type >= kCompile &&
                       type <= kSplitType && (unit.encoding.address_size == 8 || unit.encoding.address_size == 4);
    if (!cursor.bad() && unit.entries < unit.end && known) units_.push_back(unit);
    if (unit.end <= unit.offset) return;
    cursor.seek(unit.end);
    if (cursor.bad()) return;
  }
}

const Unit& DwarfFile::prepare(size_t index) {
  Unit& unit = units_[index];
  if (!unit.prepared) prepare_now(unit);
  return unit;
}

void DwarfFile::prepare_all() {
  for (Unit& unit : units_)
    if (!unit.prepared) prepare_now(unit);
}

void DwarfFile::prepare_now(Unit& unit) {
  unit.prepared = true;
  const uint32_t kind =
      unit.encoding.address_size | (unit.encoding.is_64_bit ? 0x100u : 0u) | (unit.encoding.version <= 2 ? 0x200u : 0u);
  auto& table = tables_[{unit.abbreviations_offset, kind}];
  if (!table) table = AbbreviationTable::decode(sections_.abbreviations, unit.abbreviations_offset, unit.encoding);

  ByteCursor cursor(sections_.information, unit.entries, unit.end);
  const Abbreviation* shape = table->find(cursor.uleb());
  if (!shape) return;
  unit.abbreviations = table.get();
  unit.text_offsets_base = unit.encoding.version >= 5 ? (unit.encoding.is_64_bit ? 16 : 8) : 0;
  unit.addresses_base = unit.text_offsets_base;
  // A .dwo file has one table of range lists, and its header is not pointed to (DWARF 5, section 7.28).
  if (skeleton_ && unit.encoding.version >= 5) unit.range_lists_base = unit.encoding.is_64_bit ? 20 : 12;
  Value folder, entry, part_name;
  for (const AttributeShape& one : table->attributes(*shape)) {
    const Value value = read_value(cursor, unit, one);
    switch (one.attribute) {
      case attribute::kCompDir:
        folder = value;
        break;
      case attribute::kStmtList:
        unit.line_table = value.number;
        break;
      case attribute::kLanguage:
        unit.is_c = value.number == language::kC89 || value.number == language::kC || value.number == language::kC99 ||
                    value.number == language::kC11 || value.number == language::kC17;
        break;
      case attribute::kLowPc:
        unit.low = value;
        break;
      case attribute::kHighPc:
        unit.high = value;
        break;
      case attribute::kRanges:
        unit.ranges = value;
        break;
      case attribute::kEntryPc:
        entry = value;
        break;
      case attribute::kStrOffsetsBase:
        unit.text_offsets_base = value.number;
        break;
      case attribute::kAddrBase:
      case attribute::kGnuAddrBase:
        unit.addresses_base = value.number;
        break;
      case attribute::kRnglistsBase:
        unit.range_lists_base = value.number;
        break;
      case attribute::kDwoName:
      case attribute::kGnuDwoName:
        unit.is_split = !skeleton_;
        part_name = value;
        break;
      case attribute::kGnuDwoId:
        unit.part_id = value.number;
        break;
      case attribute::kGnuRangesBase:
        unit.ranges_base = value.number;
        break;
      default:
        break;
    }
  }
  if (skeleton_) {
    unit.folder = skeleton_->folder;
    unit.base_address = skeleton_->base_address;
    unit.addresses_base = skeleton_->addresses_base;
    unit.ranges_base = skeleton_->ranges_base;
    unit.line_table.reset();
    return;
  }
  unit.folder = text(unit, folder);
  unit.part_name = text(unit, part_name);
  unit.base_address = address(unit, unit.low ? unit.low : entry);
}

std::optional<size_t> DwarfFile::unit_of(uint64_t offset) {
  const auto after = std::upper_bound(units_.begin(), units_.end(), offset,
                                      [](uint64_t value, const Unit& unit) { return value < unit.offset; });
  if (after == units_.begin() || offset >= std::prev(after)->end) return std::nullopt;
  return static_cast<size_t>(std::prev(after) - units_.begin());
}

std::optional<size_t> DwarfFile::unit_at(uint64_t offset) {
  const auto found = unit_of(offset);
  return found && units_[*found].offset == offset ? found : std::nullopt;
}

bool DwarfFile::has_split_units() {
  prepare_all();
  return std::any_of(units_.begin(), units_.end(), [](const Unit& unit) { return unit.is_split; });
}

std::optional<size_t> DwarfFile::split_unit() {
  prepare_all();
  for (size_t index = 0; skeleton_ && index < units_.size(); ++index)
    if (!units_[index].is_type_unit && units_[index].abbreviations && units_[index].part_id == skeleton_->part_id)
      return index;
  return std::nullopt;
}

DwarfFile::Body DwarfFile::body(size_t index) {
  if (!prepare(index).is_split || !part_finder_) return {this, index};
  auto [place, is_new] = parts_.try_emplace(index);
  Part& part = place->second;
  if (is_new) {
    part.file = part_finder_->find(*this, units_[index]);
    const auto unit = part.file ? part.file->split_unit() : std::nullopt;
    unit ? (void)(part.unit = *unit) : part.file.reset();
  }
  return part.file ? Body{part.file.get(), part.unit} : Body{this, index};
}

void DwarfFile::open_all_parts() {
  for (size_t index = 0; index < units_.size(); ++index) body(index);
}

Value DwarfFile::read_value(ByteCursor& cursor, const Unit& unit, const AttributeShape& shape) const {
  using Kind = Value::Kind;
  const Encoding& encoding = unit.encoding;
  uint16_t number = shape.form;
  if (number == form::kIndirect) {
    const uint64_t real = cursor.uleb();
    if (real == form::kIndirect || real == form::kImplicitConst || real > 0xFFFF) {
      cursor.skip(~uint64_t{0});
      return {};
    }
    number = static_cast<uint16_t>(real);
  }
  switch (number) {
    case form::kAddr:
      return {Kind::Address, cursor.sized(encoding.address_size)};
    case form::kData1:
      return {Kind::Constant, cursor.u8()};
    case form::kData2:
      return {Kind::Constant, cursor.u16()};
    case form::kData4:  // before DWARF 4 also offsets into sections: whoever wants one takes either
      return {Kind::Constant, cursor.u32()};
    case form::kData8:
      return {Kind::Constant, cursor.u64()};
    case form::kUdata:
      return {Kind::Constant, cursor.uleb()};
    case form::kSdata:
      return {Kind::Signed, static_cast<uint64_t>(cursor.sleb())};
    case form::kImplicitConst:
      if (!unit.abbreviations) return {};
      return {Kind::Constant, static_cast<uint64_t>(unit.abbreviations->implicit_value(shape))};
    case form::kFlag:
      return {Kind::Flag, cursor.u8()};
    case form::kFlagPresent:
      return {Kind::Flag, 1};
    case form::kRef1:
      return {Kind::Reference, unit.offset + cursor.u8()};
    case form::kRef2:
      return {Kind::Reference, unit.offset + cursor.u16()};
    case form::kRef4:
      return {Kind::Reference, unit.offset + cursor.u32()};
    case form::kRef8:
      return {Kind::Reference, unit.offset + cursor.u64()};
    case form::kRefUdata:
      return {Kind::Reference, unit.offset + cursor.uleb()};
    case form::kRefAddr:
      return {Kind::Reference,
              encoding.version <= 2 ? cursor.sized(encoding.address_size) : cursor.section_offset(encoding.is_64_bit)};
    case form::kGnuRefAlt:
      return {Kind::AltReference, cursor.section_offset(encoding.is_64_bit)};
    case form::kRefSup4:
      return {Kind::AltReference, cursor.u32()};
    case form::kRefSup8:
      return {Kind::AltReference, cursor.u64()};
    case form::kSecOffset:
      return {Kind::SectionOffset, cursor.section_offset(encoding.is_64_bit)};
    case form::kRnglistx:
      return {Kind::RangeIndex, cursor.uleb()};
    case form::kAddrx:
    case form::kGnuAddrIndex:
      return {Kind::AddressIndex, cursor.uleb()};
    case form::kAddrx1:
      return {Kind::AddressIndex, cursor.u8()};
    case form::kAddrx2:
      return {Kind::AddressIndex, cursor.u16()};
    case form::kAddrx3:
      return {Kind::AddressIndex, cursor.u24()};
    case form::kAddrx4:
      return {Kind::AddressIndex, cursor.u32()};
    case form::kString: {
      const uint64_t offset = cursor.offset();
      cursor.text();
      return {Kind::InlineText, offset};
    }
    case form::kStrp:
      return {Kind::Text, cursor.section_offset(encoding.is_64_bit)};
    case form::kLineStrp:
      return {Kind::LineText, cursor.section_offset(encoding.is_64_bit)};
    case form::kStrpSup:
    case form::kGnuStrpAlt:
      return {Kind::AltText, cursor.section_offset(encoding.is_64_bit)};
    case form::kStrx:
    case form::kGnuStrIndex:
      return {Kind::TextIndex, cursor.uleb()};
    case form::kStrx1:
      return {Kind::TextIndex, cursor.u8()};
    case form::kStrx2:
      return {Kind::TextIndex, cursor.u16()};
    case form::kStrx3:
      return {Kind::TextIndex, cursor.u24()};
    case form::kStrx4:
      return {Kind::TextIndex, cursor.u32()};
    default:
      skip_form(cursor, number, encoding);
      return {Kind::Other, 0};
  }
}

std::string_view DwarfFile::text(const Unit& unit, const Value& value) const {
  switch (value.kind) {
    case Value::Kind::InlineText:
      return text_of_section(sections_.information, value.number);
    case Value::Kind::Text:
      return text_of_section(sections_.text, value.number);
    case Value::Kind::LineText:
      return text_of_section(sections_.line_text, value.number);
    case Value::Kind::AltText:
      return alternate_ ? text_of_section(alternate_->sections_.text, value.number) : std::string_view();
    case Value::Kind::TextIndex: {
      const uint64_t size = unit.encoding.offset_size();
      if (value.number > sections_.text_offsets.size() / size) return {};
      ByteCursor cursor(sections_.text_offsets, unit.text_offsets_base);
      cursor.skip(value.number * size);
      const uint64_t offset = cursor.section_offset(unit.encoding.is_64_bit);
      return cursor.bad() ? std::string_view() : text_of_section(sections_.text, offset);
    }
    default:
      return {};
  }
}

std::optional<uint64_t> DwarfFile::indexed_address(const Unit& unit, uint64_t index) const {
  if (index > sections_.addresses.size() / unit.encoding.address_size) return std::nullopt;
  ByteCursor cursor(sections_.addresses, unit.addresses_base);
  cursor.skip(index * unit.encoding.address_size);
  const uint64_t address = cursor.sized(unit.encoding.address_size);
  return cursor.bad() ? std::nullopt : std::optional(address);
}

std::optional<uint64_t> DwarfFile::address(const Unit& unit, const Value& value) const {
  if (value.kind == Value::Kind::Address) return value.number;
  if (value.kind == Value::Kind::AddressIndex) return indexed_address(unit, value.number);
  return std::nullopt;
}

}  // namespace mortem::inspector::index
