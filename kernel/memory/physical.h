// Physical pages: one byte of owner a page (snapshot/format/guest_description.h), a free list, the direct map.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/library/result.h"
#include "snapshot/format/guest_description.h"

namespace kernel {

using mortem::format::PageOwner;
using PhysicalAddress = uint64_t;
inline constexpr size_t kPageSize = 4096;

// Zeroed, contiguous, page-aligned. NoMemory when there is none: an error like any other.
Result<PhysicalAddress> allocate_pages(size_t count, PageOwner owner);
inline Result<PhysicalAddress> allocate_page(PageOwner owner) {
  return allocate_pages(1, owner);
}
// For what is rarely used: the highest ones, not zeroed and not touched, so that they cost the host no memory before.
Result<PhysicalAddress> allocate_untouched_pages(size_t count, PageOwner owner);
// One more user of an allocated page: each gives it back with free_pages.
Result<void> retain_page(PhysicalAddress page);
uint32_t page_users(PhysicalAddress page);             // 0: it is free
void free_pages(PhysicalAddress first, size_t count);  // one user fewer of each page; without users it is free

void set_page_owner(PhysicalAddress page, PageOwner owner);  // of an allocated page
// One bare RAM page's owner; Absent for what is not RAM.
PageOwner page_owner(PhysicalAddress page);
// The first page frame from there on that is neither free nor the firmware's; memory_page_count(): none.
uint64_t next_used_page(uint64_t frame);
uint64_t memory_page_count();  // highest RAM page frame number + 1
uint64_t free_page_count();
uint64_t ram_page_count();  // pages that are RAM

// The direct map: all RAM, not executable, kernel text and constants in it read-only.
extern uint64_t g_direct_map_base;
template <typename T = void>
T* direct_map(PhysicalAddress address) {
  return reinterpret_cast<T*>(g_direct_map_base + address);
}
inline PhysicalAddress direct_map_physical(const void* pointer) {
  return reinterpret_cast<uint64_t>(pointer) - g_direct_map_base;
}

constexpr uint64_t page_down(uint64_t address) {
  return address & ~uint64_t{kPageSize - 1};
}
constexpr uint64_t page_up(uint64_t address) {
  return (address + kPageSize - 1) & ~uint64_t{kPageSize - 1};
}

}  // namespace kernel
