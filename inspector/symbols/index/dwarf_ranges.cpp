// Where an entry's code is: DWARF 5, section 2.17; as llvm::DWARFDie::getAddressRanges reads it.
#include "inspector/symbols/index/dwarf_constants.h"
#include "inspector/symbols/index/dwarf_file.h"

namespace mortem::inspector::index {
namespace {

// DWARF 5, section 7.25
constexpr uint8_t kEnd = 0, kBaseAddressx = 1, kStartxEndx = 2, kStartxLength = 3, kOffsetPair = 4, kBaseAddress = 5,
                  kStartEnd = 6, kStartLength = 7;

}  // namespace

void DwarfFile::ranges(const Unit& unit, const CodeAttributes& code, std::vector<AddressRange>& to) const {
  const uint64_t discarded = unit.encoding.address_size == 8 ? ~uint64_t{0} : 0xFFFFFFFF;  // by the linker
  if (const auto low = address(unit, code.low); low && *low != discarded) {
    if (const auto high = address(unit, code.high)) {
      to.push_back({*low, *high});
      return;
    }
    if (code.high.kind == Value::Kind::Constant) {
      to.push_back({*low, *low + code.high.number});
      return;
    }
  }
  if (!code.ranges) return;
  if (code.ranges.kind == Value::Kind::RangeIndex) {
    const uint64_t size = unit.encoding.offset_size();
    if (code.ranges.number > sections_.range_lists.size() / size) return;
    ByteCursor cursor(sections_.range_lists, unit.range_lists_base);
    cursor.skip(code.ranges.number * size);
    const uint64_t offset = cursor.section_offset(unit.encoding.is_64_bit);
    if (!cursor.bad()) listed_ranges(unit, unit.range_lists_base + offset, to);
    return;
  }
  if (code.ranges.kind != Value::Kind::SectionOffset && code.ranges.kind != Value::Kind::Constant) return;
  if (unit.encoding.version >= 5)
    listed_ranges(unit, code.ranges.number, to);
  else
    plain_ranges(unit, code.ranges.number + (skeleton_ ? unit.ranges_base : 0), to);
}

// .debug_ranges, DWARF 4, section 2.17.3
void DwarfFile::plain_ranges(const Unit& unit, uint64_t offset, std::vector<AddressRange>& to) const {
  const size_t before = to.size();
  const unsigned size = unit.encoding.address_size;
  const uint64_t largest = size == 8 ? ~uint64_t{0} : 0xFFFFFFFF;
  std::optional<uint64_t> base = unit.base_address;
  ByteCursor cursor(sections_.ranges, offset);
  while (!cursor.at_end()) {
    const uint64_t low = cursor.sized(size), high = cursor.sized(size);
    if (cursor.bad()) {
      to.resize(before);  // a list without an end is none
      return;
    }
    if (low == 0 && high == 0) return;
    if (low == largest) {
      base = high;
      continue;
    }
    if (low == largest - 1 || base == largest - 1) continue;  // discarded by the linker
    to.push_back({low + base.value_or(0), high + base.value_or(0)});
  }
  to.resize(before);
}

// .debug_rnglists
void DwarfFile::listed_ranges(const Unit& unit, uint64_t offset, std::vector<AddressRange>& to) const {
  const size_t before = to.size();
  const unsigned size = unit.encoding.address_size;
  const uint64_t discarded = size == 8 ? ~uint64_t{0} : 0xFFFFFFFF;
  std::optional<uint64_t> base = unit.base_address;
  ByteCursor cursor(sections_.range_lists, offset);
  while (!cursor.at_end()) {
    uint64_t low = discarded, high = 0;
    const uint8_t kind = cursor.u8();
    switch (kind) {
      case kEnd:
        return;
      case kBaseAddressx:
        base = indexed_address(unit, cursor.uleb());
        if (!base) base = discarded;
        continue;
      case kBaseAddress:
        base = cursor.sized(size);
        continue;
      case kStartxEndx: {
        const auto start = indexed_address(unit, cursor.uleb());
        const auto end = indexed_address(unit, cursor.uleb());
        if (!start || !end) continue;
        low = *start;
        high = *end;
        break;
      }
      case kStartxLength:
        low = indexed_address(unit, cursor.uleb()).value_or(discarded);
        high = low + cursor.uleb();
        break;
      case kOffsetPair: {
        const uint64_t first = cursor.uleb();
        high = cursor.uleb();
        if (base == discarded) continue;
        low = first + base.value_or(0);
        high += base.value_or(0);
        break;
      }
      case kStartEnd:
        low = cursor.sized(size);
        high = cursor.sized(size);
        break;
      case kStartLength:
        low = cursor.sized(size);
        high = low + cursor.uleb();
        break;
      default:
        to.resize(before);
        return;
    }
    if (cursor.bad()) break;
    if (low != discarded) to.push_back({low, high});
  }
  to.resize(before);
}

}  // namespace mortem::inspector::index
