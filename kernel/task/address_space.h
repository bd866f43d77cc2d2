// The app's half of the address space: its areas, where new ones go, and which page a fault brings in.
#pragma once

#include "kernel/library/result.h"
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

  // Draws the random places of this boot: mmap 28 bits of pages, stack 22, PIE 28, as x86-64 Linux.
  void randomize(uint64_t stack_size);

  Result<uint64_t> map(const MapRequest& request);  // returns the start
  Result<void> unmap(uint64_t start, uint64_t end);
  Result<void> protect(uint64_t start, uint64_t end, uint8_t protection);
  // The mapping at `from` goes, pages and all, to `to` (free before) and has there `to_length` bytes.
  Result<void> move(uint64_t from, uint64_t from_length, uint64_t to, uint64_t to_length);
  Result<uint64_t> set_break(uint64_t end);

  FaultResult fault(uint64_t address, Access access);
  uint64_t free_place(uint64_t length, uint64_t hint) const;  // 0: none

 private:
  FaultResult bring_in_file_page(const MemoryArea& area, uint64_t page);
};

AddressSpace& address_space();

}  // namespace kernel
