#include "kernel/crash/dump_plan.h"

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/crash/checked_memory.h"
#include "kernel/crash/dump_windows.h"
#include "kernel/crash/page_walk.h"

namespace kernel {

namespace {

using namespace mortem::format;

constexpr size_t kMaximumAreas = 1 << 20;
constexpr size_t kMaximumKernelRanges = 1024;

// MemoryProtection's bits as page-map flags (which are PF_*).
uint32_t flags_of(uint8_t protection) {
  return ((protection & kProtectRead) ? kPageRead : 0u) | ((protection & kProtectWrite) ? kPageWrite : 0u) |
         ((protection & kProtectExecute) ? kPageExecute : 0u) | kPageUser;
}

class Walk {
 public:
  Walk(const CrashState& state, DumpLevel level, PieceVisitor& visitor)
      : state_(state), level_(level), visitor_(visitor) {
    if (level != DumpLevel::Full) windows_.collect(state);
  }

  bool run() { return app() && kernel(); }

 private:
  bool emit(uint64_t start, uint64_t end, uint64_t physical, PageMapKind kind, uint32_t flags) {
    return visitor_.visit({{start, end - start, physical, kind, flags}, region_});
  }

  // Present pages of [start, end): stored, at level Registers only inside of the windows.
  bool emit_content(uint64_t start, uint64_t end, uint64_t physical, uint32_t flags) {
    if (level_ != DumpLevel::Registers) return emit(start, end, physical, PageMapKind::Stored, flags);
    return emit_windows(start, end, physical, flags);
  }

  bool emit_windows(uint64_t start, uint64_t end, uint64_t physical, uint32_t flags) {
    for (uint64_t at = start; at < end;) {
      const DumpWindows::Part part = windows_.part_at(at, end);
      const PageMapKind kind = part.inside ? PageMapKind::Stored : PageMapKind::Dropped;
      if (!emit(at, part.end, physical + (at - start), kind, flags)) return false;
      at = part.end;
    }
    return true;
  }

  bool app() {
    const size_t count = area_count();
    uint64_t previous_end = 0;
    for (size_t index = 0; index < count && index < kMaximumAreas; ++index) {
      MemoryArea area;
      if (!read_kernel(area, &area_at(index))) continue;
      // A damaged list must not make a damaged core: what is out of order or out of bounds is left out.
      const bool sane = page_down(area.start) == area.start && page_down(area.end) == area.end &&
                        area.start >= previous_end && area.start < area.end && area.end <= kUserEnd;
      if (!sane) continue;
      previous_end = area.end;
      ++region_;
      if (!app_area(area)) return false;
    }
    return true;
  }

  bool app_area(const MemoryArea& area) {
    const uint32_t flags = flags_of(area.protection);
    if (area.protection == 0) return emit(area.start, area.end, kNoPhysical, PageMapKind::Reserved, flags);
    const bool zero_filled =
        area.kind == AreaKind::Anonymous || area.kind == AreaKind::Stack || area.kind == AreaKind::Heap;
    for (uint64_t at = area.start; at < area.end;) {
      const PageRun run = g_crash_page_walker.run_at(at, area.end);
      const uint64_t length = run.end - run.start;
      bool go_on = true;
      switch (run.kind) {
        case PageRunKind::Present:
          go_on = emit_content(run.start, run.end, run.physical, flags);
          break;
        case PageRunKind::Device:
          go_on = emit(run.start, run.end, run.physical, PageMapKind::Device, flags);
          break;
        case PageRunKind::Damaged:
          go_on = emit(run.start, run.end, kNoPhysical, PageMapKind::Dropped, flags);
          break;
        case PageRunKind::Absent:
          if (!zero_filled) {
            // Content of a file that the program never looked at: its bytes are in that file (NT_FILE).
            go_on = emit(run.start, run.end, kNoPhysical, PageMapKind::Dropped, flags);
          } else if (level_ != DumpLevel::Registers && length <= kLargestStoredZeroRun &&
                     zeros_stored_ + length <= kStoredZeroBudget) {
            zeros_stored_ += length;
            go_on = emit(run.start, run.end, kNoPhysical, PageMapKind::Stored, flags);
          } else {
            go_on = emit(run.start, run.end, kNoPhysical, PageMapKind::Untouched, flags);
          }
          break;
      }
      if (!go_on) return false;
      at = run.end;
    }
    return true;
  }

  // Image and stacks at their virtual addresses, then the rest of the kernel's pages in the direct map; all by address.
  bool kernel() {
    static KernelRange ranges[kMaximumKernelRanges];
    size_t count = kernel_ranges(ranges, kMaximumKernelRanges);
    if (count > kMaximumKernelRanges) count = kMaximumKernelRanges;
    uint64_t done_to = kUserEnd;
    bool direct_map_done = false;
    for (size_t taken = 0; taken <= count; ++taken) {
      const KernelRange* next = nullptr;
      for (size_t i = 0; i < count; ++i) {
        const KernelRange& range = ranges[i];
        if (range.start < done_to || range.end <= range.start) continue;
        if (next == nullptr || range.start < next->start) next = &range;
      }
      if (!direct_map_done && (next == nullptr || next->start > g_direct_map_base)) {
        direct_map_done = true;
        if (!direct_mapped()) return false;
      }
      if (next == nullptr) break;
      done_to = page_up(next->end);
      if (!kernel_range(page_down(next->start), done_to)) return false;
    }
    return true;
  }

  bool kernel_range(uint64_t start, uint64_t end) {
    ++region_;
    for (uint64_t at = start; at < end;) {
      const PageRun run = g_crash_page_walker.run_at(at, end);
      at = run.end;
      if (run.kind == PageRunKind::Absent) continue;  // guard pages
      if (run.kind != PageRunKind::Present) {
        const PageMapKind kind = run.kind == PageRunKind::Device ? PageMapKind::Device : PageMapKind::Dropped;
        if (!emit(run.start, run.end, kNoPhysical, kind, run.flags)) return false;
        continue;
      }
      // Without its stack a crash of the kernel could not be understood: stacks are part of every dump, and so is
      // what stands around the stack pointer when that is elsewhere (the boot stack is a part of the image).
      const bool is_stack = page_owner(run.physical) == PageOwner::KernelStack;
      const bool whole = level_ == DumpLevel::Full || (is_stack && level_ == DumpLevel::AppOnly);
      if (whole ? !emit(run.start, run.end, run.physical, PageMapKind::Stored, run.flags)
                : !emit_windows(run.start, run.end, run.physical, run.flags))
        return false;
    }
    return true;
  }

  enum class DirectMapped : uint8_t { Nothing, Content, Alias, Dropped };

  DirectMapped direct_mapped_kind(PhysicalAddress page) const {
    switch (page_owner(page)) {
      case PageOwner::Absent:
      case PageOwner::Free:
      case PageOwner::Firmware:
        return DirectMapped::Nothing;
      case PageOwner::KernelHeap:
      case PageOwner::PageTable:
      case PageOwner::Dma:
      case PageOwner::SharedMemory:
      case PageOwner::Reserved:
        if (page >= state_.reserve_start && page < state_.reserve_end) return DirectMapped::Dropped;
        return level_ == DumpLevel::Full ? DirectMapped::Content : DirectMapped::Dropped;
      case PageOwner::App:
        return DirectMapped::Alias;  // stored (or named as dropped) under the app's own address
      case PageOwner::KernelImage:
      case PageOwner::KernelStack:
        return level_ == DumpLevel::Full ? DirectMapped::Alias : DirectMapped::Dropped;
      case PageOwner::PageCache:
        return DirectMapped::Dropped;  // content of files: on the disk; what the app mapped of it is stored there
    }
    return DirectMapped::Nothing;
  }

  bool direct_mapped() {
    ++region_;
    const uint64_t pages = memory_page_count();
    const uint32_t flags = kPageRead | kPageWrite;
    for (uint64_t page = 0; page < pages;) {
      const DirectMapped kind = direct_mapped_kind(page * kPageSize);
      uint64_t end = page + 1;
      while (end < pages && direct_mapped_kind(end * kPageSize) == kind) ++end;
      const PhysicalAddress physical = page * kPageSize;
      const uint64_t start = g_direct_map_base + physical;
      const uint64_t stop = g_direct_map_base + end * kPageSize;
      bool go_on = true;
      if (kind == DirectMapped::Content) go_on = emit(start, stop, physical, PageMapKind::Stored, flags);
      if (kind == DirectMapped::Alias) go_on = emit(start, stop, physical, PageMapKind::Alias, flags);
      if (kind == DirectMapped::Dropped) go_on = emit(start, stop, physical, PageMapKind::Dropped, flags);
      if (!go_on) return false;
      page = end;
    }
    return true;
  }

  const CrashState& state_;
  DumpLevel level_;
  PieceVisitor& visitor_;
  DumpWindows windows_;
  uint32_t region_ = 0;
  uint64_t zeros_stored_ = 0;
};

}  // namespace

bool walk_dump(const CrashState& state, DumpLevel level, PieceVisitor& visitor) {
  return Walk(state, level, visitor).run();
}

bool SegmentVisitor::visit(const DumpPiece& next) {
  if (!piece(next)) return false;
  const PageMapEntry& entry = next.entry;
  if (entry.kind != PageMapKind::Stored) return true;
  if (is_open_ && region_ == next.region && open_.address + open_.size == entry.virtual_start &&
      open_.flags == entry.flags) {
    if (entry.physical_start != open_.physical + open_.size) open_.physical = kNoPhysical;
    open_.size += entry.length;
    return true;
  }
  if (!flush()) return false;
  open_ = {entry.virtual_start, entry.length, entry.physical_start, entry.flags};
  region_ = next.region;
  is_open_ = true;
  return true;
}

bool SegmentVisitor::flush() {
  if (!is_open_) return true;
  is_open_ = false;
  return segment(open_);
}

}  // namespace kernel
