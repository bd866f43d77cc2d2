// A walk over four-level page tables that may be damaged (Intel SDM vol. 3, section 4.5): whole runs at a time, so that
// a terabyte that was only reserved costs nothing. Keeps the last table of each level; allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/memory/physical.h"

namespace kernel {

enum class PageRunKind : uint8_t {
  Absent,   // nothing mapped
  Present,  // RAM
  Device,   // mapped, but not to RAM
  Damaged,  // the table that would tell is not in RAM or cannot be read
};

struct PageRun {
  uint64_t start, end;
  PageRunKind kind;
  PhysicalAddress physical;  // of start, when Present or Device
  uint32_t flags;            // PageMapFlags
};

class PageWalker {
 public:
  void set_root(PhysicalAddress root);
  // The longest run of one kind, one set of flags and (when mapped) contiguous physical pages from `address` on,
  // not past `end`. Both page-aligned, address < end.
  PageRun run_at(uint64_t address, uint64_t end);

 private:
  struct CachedTable {
    PhysicalAddress address = ~uint64_t{0};
    uint64_t entries[512] = {};
  };
  PageRun step(uint64_t address);

  PhysicalAddress root_ = 0;
  CachedTable tables_[4];
};

// The one for the moment of the crash.
extern PageWalker g_crash_page_walker;

bool is_code(uint64_t address);  // RAM that may be executed

}  // namespace kernel
