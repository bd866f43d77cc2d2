#include "inspector/symbols/index/location_lists.h"

#include "inspector/symbols/index/dwarf_constants.h"

namespace mortem::inspector::index {
namespace {

// DWARF 5, section 7.7.3
constexpr uint8_t kEndOfList = 0, kBaseAddressx = 1, kStartxEndx = 2, kStartxLength = 3, kOffsetPair = 4,
                  kDefaultLocation = 5, kBaseAddress = 6, kStartEnd = 7, kStartLength = 8;

// .debug_loc
std::vector<Bytes> plain_list(ByteCursor cursor, unsigned address_size) {
  const uint64_t base_follows = address_size == 8 ? ~uint64_t{0} : 0xFFFFFFFF;
  std::vector<Bytes> expressions;
  while (!cursor.at_end()) {
    const uint64_t low = cursor.sized(address_size), high = cursor.sized(address_size);
    if (cursor.bad()) break;
    if (low == 0 && high == 0) return expressions;
    if (low == base_follows) continue;
    const Bytes expression = cursor.block(cursor.u16());
    if (!cursor.bad()) expressions.push_back(expression);
  }
  return {};
}

// .debug_loclists
std::vector<Bytes> tagged_list(ByteCursor cursor, unsigned address_size) {
  std::vector<Bytes> expressions;
  while (!cursor.at_end()) {
    switch (cursor.u8()) {
      case kEndOfList:
        return expressions;
      case kBaseAddressx:
        cursor.skip_leb();
        continue;
      case kBaseAddress:
        cursor.skip(address_size);
        continue;
      case kStartxEndx:
      case kStartxLength:
      case kOffsetPair:
        cursor.skip_leb();
        cursor.skip_leb();
        break;
      case kDefaultLocation:
        break;
      case kStartEnd:
        cursor.skip(2 * address_size);
        break;
      case kStartLength:
        cursor.skip(address_size);
        cursor.skip_leb();
        break;
      default:
        return {};
    }
    const Bytes expression = cursor.block(cursor.uleb());
    if (!cursor.bad()) expressions.push_back(expression);
  }
  return {};
}

}  // namespace

std::vector<Bytes> location_list(const DwarfEntry& entry) {
  const DwarfFile& dwarf = entry.file();
  const Unit& unit = entry.unit();
  if (dwarf.is_part()) return {};  // its lists are not in .debug_loclists but in a part of .debug_loclists.dwo
  const Value place = entry.find(attribute::kLocation);
  const bool is_tagged = unit.encoding.version >= 5;
  const Bytes lists = dwarf.more(is_tagged ? "loclists" : "loc");
  uint64_t offset = place.number;
  if (const auto index = entry.list_index(attribute::kLocation)) {
    // DWARF 5, section 7.29: the table of offsets stands behind the header, which is what the unit points to.
    const auto top = DwarfEntry::at(entry.file(), unit.entries);
    const uint64_t size = unit.encoding.offset_size();
    const Value base = top ? top->find(attribute::kLoclistsBase) : Value{};
    if (!base || *index > lists.size() / size) return {};
    ByteCursor cursor(lists, base.number);
    cursor.skip(*index * size);
    offset = base.number + cursor.section_offset(unit.encoding.is_64_bit);
    if (cursor.bad()) return {};
  } else if (place.kind != Value::Kind::SectionOffset &&
             !(place.kind == Value::Kind::Constant && unit.encoding.version < 4)) {
    return {};
  }
  const ByteCursor cursor(lists, offset);
  return is_tagged ? tagged_list(cursor, unit.encoding.address_size) : plain_list(cursor, unit.encoding.address_size);
}

}  // namespace mortem::inspector::index
