#include "kernel/crash/page_walk.h"

#include "kernel/crash/checked_memory.h"
#include "snapshot/format/notes.h"

namespace kernel {

namespace {

// Intel SDM vol. 3, tables 4-14 to 4-19.
constexpr uint64_t kEntryPresent = 1;
constexpr uint64_t kEntryWrite = 2;
constexpr uint64_t kEntryUser = 4;
constexpr uint64_t kEntryLarge = 0x80;
constexpr uint64_t kEntryNoExecute = uint64_t{1} << 63;
constexpr uint64_t kEntryAddress = 0x000f'ffff'ffff'f000;

// One past the last address that the entry for `address` covers; 0 at the end of the address space.
uint64_t end_of_entry(uint64_t address, uint64_t size) {
  return (address & ~(size - 1)) + size;
}

}  // namespace

constinit PageWalker g_crash_page_walker{};

void PageWalker::set_root(PhysicalAddress root) {
  root_ = root & kEntryAddress;
  for (CachedTable& table : tables_) table.address = ~uint64_t{0};
}

// What one entry of the lowest level that decides says about `address`.
PageRun PageWalker::step(uint64_t address) {
  using namespace mortem::format;
  PhysicalAddress table = root_;
  bool write = true, user = true, execute = true;
  for (int level = 3;; --level) {
    const int shift = 12 + 9 * level;
    const uint64_t covered = uint64_t{1} << shift;
    CachedTable& cached = tables_[level];
    if (cached.address != table) {
      cached.address = ~uint64_t{0};
      // The table itself decides about all that its parent's entry covers.
      if (!is_ram(table) || !read_physical(cached.entries, table, sizeof cached.entries))
        return {address, end_of_entry(address, covered << 9), PageRunKind::Damaged, 0, 0};
      cached.address = table;
    }
    const uint64_t entry = cached.entries[(address >> shift) & 511];
    if ((entry & kEntryPresent) == 0) return {address, end_of_entry(address, covered), PageRunKind::Absent, 0, 0};
    write = write && (entry & kEntryWrite) != 0;
    user = user && (entry & kEntryUser) != 0;
    execute = execute && (entry & kEntryNoExecute) == 0;
    const bool leaf = level == 0 || (level <= 2 && (entry & kEntryLarge) != 0);
    if (!leaf) {
      table = entry & kEntryAddress;
      continue;
    }
    const PhysicalAddress physical = (entry & kEntryAddress & ~(covered - 1)) + (address & (covered - 1));
    const uint32_t flags =
        kPageRead | (write ? kPageWrite : 0u) | (execute ? kPageExecute : 0u) | (user ? kPageUser : 0u);
    return {address, end_of_entry(address, covered), is_ram(physical) ? PageRunKind::Present : PageRunKind::Device,
            physical, flags};
  }
}

PageRun PageWalker::run_at(uint64_t address, uint64_t end) {
  PageRun run = step(address);
  while (run.end != 0 && run.end < end) {
    const PageRun next = step(run.end);
    const bool mapped = run.kind == PageRunKind::Present || run.kind == PageRunKind::Device;
    if (next.kind != run.kind || next.flags != run.flags) break;
    if (mapped && next.physical != run.physical + (run.end - run.start)) break;
    run.end = next.end;
  }
  if (run.end == 0 || run.end > end) run.end = end;
  return run;
}

bool is_code(uint64_t address) {
  const uint64_t page = page_down(address);
  const PageRun run = g_crash_page_walker.run_at(page, page + kPageSize);
  return run.kind == PageRunKind::Present && (run.flags & mortem::format::kPageExecute) != 0;
}

}  // namespace kernel
