// The app's half of the address space: its areas, where new ones go, and which page a fault brings in.
#pragma once

#include "kernel/library/result.h"
#include "kernel/memory/page_table.h"
#include "kernel/task/area_list.h"

namespace kernel {

enum class Placement : uint8_t { Anywhere, Fixed, FixedNoReplace };

struct MapRequest {
  uint64_t address = 0;  // a hint, or the place (page-aligned)
  uint64_t length = 0;   // bytes; rounded up to pages
  uint8_t protection = 0;
  AreaKind kind = AreaKind::Anonymous;
  bool shared = false;
  Inode* inode = nullptr;
  uint64_t file_offset = 0;
  const char* path = nullptr;
  bool may_write = true;
  const PageTree* memory = nullptr;
  Placement placement = Placement::Anywhere;
};

enum class Access : uint8_t { Read, Write, Execute };
enum class FaultResult : uint8_t { Resolved, NotMapped, AccessDenied, PastEndOfFile, ReadFailed, NoMemory };

struct AddressSpaceLayout {
  uint64_t mmap_top = 0;  // the next mapping goes below, as on Linux (top down)
  uint64_t stack_top = 0;
  uint64_t heap_start = 0;    // brk
  uint64_t heap_end = 0;      // what brk(0) says
  uint64_t program_base = 0;  // load bias of a PIE
};

inline constexpr uint64_t kStackGuardGap = 256 * kPageSize;  // Linux's stack_guard_gap

class AddressSpace {
 public:
  AreaList areas;
  AddressSpaceLayout layout;
  // The program's file while its interpreter prepares it: its code cannot be executed yet, and the first fetch from it,
  // a fault, ends the start (null). Only where somebody wants to know (linux/new_code.h).
  const Inode* starting_file = nullptr;

  // Draws the random places of this boot: mmap 28 bits of pages, stack 22, PIE 28, as x86-64 Linux.
  void randomize(uint64_t stack_size);

  Result<uint64_t> map(const MapRequest& request);  // returns the start
  Result<void> unmap(uint64_t start, uint64_t end);
  Result<void> protect(uint64_t start, uint64_t end, uint8_t protection);
  // The mapping at `from` goes, pages and all, to `to` (free before) and has there `to_length` bytes.
  Result<void> move(uint64_t from, uint64_t from_length, uint64_t to, uint64_t to_length);
  Result<uint64_t> set_break(uint64_t end);

  // page_faults.cpp. May wait (a page of a file is read from disk).
  FaultResult fault(uint64_t address, Access access);
  // For a debugger that writes there whatever the protection says: the page is there, and a private mapping has it
  // for itself, so that no file sees the change.
  FaultResult prepare_forced_write(uint64_t address);
  // The pages of [start, end) out of the page table; what they held stays where others have it too.
  void drop_pages(uint64_t start, uint64_t end);
  uint64_t free_place(uint64_t length, uint64_t hint) const;  // 0: none

 private:
  FaultResult resolve(uint64_t address, Access access);
  FaultResult bring_in(const MemoryArea& area, uint64_t page, Access access);
  FaultResult bring_in_file_page(const MemoryArea& area, uint64_t page, Access access);
  FaultResult bring_in_copies(const MemoryArea& area, uint64_t page);
  void map_cached_around(const MemoryArea& area, uint64_t page);
  FaultResult make_writable(const MemoryArea& area, uint64_t page, PhysicalAddress physical);
  bool is_unchanged(const MemoryArea& area, uint64_t page) const;
};

// What a page of that area gets in the page table. `writable`: the page may be written where it stands (it is the
// mapping's own, or its file knows that it changes); else the first write faults.
PageAccess page_access(const MemoryArea& area, bool writable);
// A shared view of a file that lives in memory: nothing has to be told of its first write.
inline bool changes_unseen(const MemoryArea& area) {
  return area.shared && area.memory != nullptr;
}

AddressSpace& address_space();

}  // namespace kernel
