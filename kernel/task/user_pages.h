// The pages that stand in the lower half of the page table (Intel SDM vol. 3, 4.5: four-level paging). Empty tables are
// stepped over whole, so that a reservation of terabytes costs nothing to walk.
#pragma once

#include "kernel/memory/page_table.h"

namespace kernel {

// A page of a PROT_NONE mapping that has content keeps its place in the table as an entry that is not present, with a
// bit of ours (bits 9-11 are free for software): neither the app nor the kernel on its behalf can reach it.
inline constexpr uint64_t kHiddenPage = 1 << 9;

// The last-level entry; null: a table on the way is missing.
inline uint64_t* user_page_entry(uint64_t address) {
  constexpr uint64_t kPresent = 1, kLarge = 0x80, kAddressMask = 0x000f'ffff'ffff'f000;
  PhysicalAddress table = kernel_page_table().root();
  for (int shift = 39; shift > 12; shift -= 9) {
    const uint64_t entry = direct_map<uint64_t>(table)[(address >> shift) & 511];
    if ((entry & kPresent) == 0 || (entry & kLarge) != 0) return nullptr;
    table = entry & kAddressMask;
  }
  return &direct_map<uint64_t>(table)[(address >> 12) & 511];
}

struct UserPage {
  PhysicalAddress physical;  // 0: nothing stands there
  bool hidden, writable;
};
inline UserPage user_page(uint64_t address) {
  constexpr uint64_t kPresent = 1, kWrite = 2, kAddressMask = 0x000f'ffff'ffff'f000;
  const uint64_t* entry = user_page_entry(address);
  if (entry == nullptr || (*entry & (kPresent | kHiddenPage)) == 0) return {0, false, false};
  return {*entry & kAddressMask, (*entry & kPresent) == 0, (*entry & (kPresent | kWrite)) == (kPresent | kWrite)};
}

// Out of the page table, present or hidden; the page itself is the caller's.
inline void unmap_user_page(uint64_t address) {
  kernel_page_table().unmap(address);
  if (uint64_t* entry = user_page_entry(address)) *entry = 0;
}

// Did the program, or the kernel for it, use the page since this was asked last? (The processor's accessed flag.)
inline bool forget_user_page_use(uint64_t address) {
  constexpr uint64_t kPresent = 1, kAccessed = 0x20;
  uint64_t* entry = user_page_entry(address);
  if (entry == nullptr || (*entry & (kPresent | kAccessed)) != (kPresent | kAccessed)) return false;
  *entry &= ~kAccessed;
  kernel_page_table().flush(address);  // else the processor, which has it in its TLB, does not set it again
  return true;
}

enum class Visibility : bool { Hidden, Visible };
inline Result<void> map_user_page(uint64_t address, PhysicalAddress page, PageAccess access, Visibility visibility) {
  if (visibility == Visibility::Visible) return kernel_page_table().map(address, page, access);
  TRY(kernel_page_table().map(address, page, {}));  // makes the tables
  kernel_page_table().unmap(address);
  *user_page_entry(address) = page | kHiddenPage;
  return {};
}

// Calls visit(address, physical) for each 4 KiB page that stands in [start, end), hidden ones too. `visit` may take it
// out.
template <typename Visitor>
void for_each_user_page(uint64_t start, uint64_t end, Visitor visit) {
  constexpr uint64_t kPresent = 1, kLarge = 0x80, kAddressMask = 0x000f'ffff'ffff'f000;
  for (uint64_t address = start; address < end;) {
    PhysicalAddress table = kernel_page_table().root();
    int shift = 39;
    uint64_t entry = 0;
    for (; shift >= 12; shift -= 9) {
      entry = direct_map<uint64_t>(table)[(address >> shift) & 511];
      if (shift == 12 && (entry & kHiddenPage) != 0) entry |= kPresent;
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
