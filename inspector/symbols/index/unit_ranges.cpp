#include "inspector/symbols/index/unit_ranges.h"

#include <algorithm>
#include <set>

namespace mortem::inspector::index {

UnitRanges::UnitRanges(DwarfFile& dwarf) {
  std::vector<uint64_t> listed = read_section(dwarf);
  std::sort(listed.begin(), listed.end());
  std::vector<AddressRange> ranges;
  for (size_t index = 0; index < dwarf.units().size(); ++index) {
    if (dwarf.units()[index].is_type_unit ||
        std::binary_search(listed.begin(), listed.end(), dwarf.units()[index].offset))
      continue;
    const Unit& unit = dwarf.prepare(index);
    ranges.clear();
    dwarf.ranges(unit, {unit.low, unit.high, unit.ranges}, ranges);
    for (const AddressRange& one : ranges) add(unit.offset, one.low, one.high);
  }
  join();
}

const UnitRanges::Range* UnitRanges::find(uint64_t address) const {
  const auto found = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                      [](uint64_t value, const Range& one) { return value < one.high; });
  return found == ranges_.end() || address < found->low ? nullptr : &*found;
}

void UnitRanges::add(uint64_t unit, uint64_t low, uint64_t high) {
  if (low >= high) return;
  endpoints_.push_back({low, unit, true});
  endpoints_.push_back({high, unit, false});
}

// DWARF 5, section 6.1.2; the units that it speaks of.
std::vector<uint64_t> UnitRanges::read_section(const DwarfFile& dwarf) {
  std::vector<uint64_t> listed;
  const Bytes section = dwarf.sections().aranges;
  ByteCursor cursor(section, 0);
  while (!cursor.at_end()) {
    const uint64_t start = cursor.offset();
    uint64_t length = cursor.u32();
    const bool is_64_bit = length == 0xFFFFFFFF;
    if (is_64_bit) length = cursor.u64();
    if (cursor.bad() || length > cursor.left()) break;
    const uint64_t end = cursor.offset() + length;
    const uint16_t version = cursor.u16();
    const uint64_t unit = cursor.section_offset(is_64_bit);
    const unsigned address_size = cursor.u8(), segment_size = cursor.u8();
    if (version != 2 || segment_size != 0 || (address_size != 4 && address_size != 8)) break;
    const uint64_t pair = uint64_t{address_size} * 2;
    cursor.seek(start + (cursor.offset() - start + pair - 1) / pair * pair);
    while (!cursor.bad() && cursor.offset() < end && end - cursor.offset() >= pair) {
      const uint64_t low = cursor.sized(address_size), size = cursor.sized(address_size);
      add(unit, low, low + size);
    }
    listed.push_back(unit);
    cursor.seek(end);
  }
  return listed;
}

void UnitRanges::join() {
  std::sort(endpoints_.begin(), endpoints_.end(),
            [](const Endpoint& a, const Endpoint& b) { return a.address < b.address; });
  std::multiset<uint64_t> open;  // units that hold the present address
  uint64_t previous = ~uint64_t{0};
  for (const Endpoint& one : endpoints_) {
    if (previous < one.address && !open.empty()) {
      if (!ranges_.empty() && ranges_.back().high == previous && open.contains(ranges_.back().unit))
        ranges_.back().high = one.address;
      else
        ranges_.push_back({previous, one.address, *open.begin()});
    }
    if (one.is_start)
      open.insert(one.unit);
    else if (const auto place = open.find(one.unit); place != open.end())
      open.erase(place);
    previous = one.address;
  }
  endpoints_ = {};
}

}  // namespace mortem::inspector::index
