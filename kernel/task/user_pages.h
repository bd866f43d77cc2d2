// The pages that stand in the lower half of the page table (Intel SDM vol. 3, 4.5: four-level paging). Empty tables are
// stepped over whole, so that a reservation of terabytes costs nothing to walk.
#pragma once

#include "kernel/memory/page_table.h"

namespace kernel {

// Calls visit(address, physical) for each 4 KiB page that is mapped in [start, end). `visit` may unmap or protect it.
template <typename Visitor>
void for_each_user_page(uint64_t start, uint64_t end, Visitor visit) {
  constexpr uint64_t kPresent = 1, kLarge = 0x80, kAddressMask = 0x000f'ffff'ffff'f000;
  for (uint64_t address = start; address < end;) {
    PhysicalAddress table = kernel_page_table().root();
    int shift = 39;
    uint64_t entry = 0;
    for (; shift >= 12; shift -= 9) {
      entry = direct_map<uint64_t>(table)[(address >> shift) & 511];
      if ((entry & kPresent) == 0 || (shift > 12 && (entry & kLarge) != 0)) break;
      table = entry & kAddressMask;
    }
    if (shift < 12) {
      visit(address, table);
      address += kPageSize;
    } else {
      address = ((address >> shift) + 1) << shift;
    }
  }
}

}  // namespace kernel
