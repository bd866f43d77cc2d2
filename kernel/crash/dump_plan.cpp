#include "kernel/crash/dump_plan.h"

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/crash/checked_memory.h"
#include "kernel/crash/dump_windows.h"
#include "kernel/crash/memory_file_walk.h"
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
    // Level Registers stores parts of pages, and few.
    if (level != DumpLevel::Registers) stored_at_ = state.stored_at;
    if (!stored_at_.empty()) __builtin_memset(stored_at_.data(), 0, stored_at_.size_bytes());
  }

  bool run() { return app() && kernel(); }

 private:
  bool emit(uint64_t start, uint64_t end, uint64_t physical, PageMapKind kind, uint32_t flags) {
    uint64_t content = kNoContent;
    if (kind == PageMapKind::Stored) {
      content = content_bytes_;
      content_bytes_ += end - start;
    }
    return visitor_.visit({{start, end - start, physical, kind, flags}, content, region_});
  }

  // Present pages of [start, end): stored, at level Registers only inside of the windows; those that were stored under
  // another address are a view of that.
  bool emit_content(uint64_t start, uint64_t end, uint64_t physical, uint32_t flags) {
    if (level_ == DumpLevel::Registers) return emit_windows(start, end, physical, flags);
    if (stored_at_.empty()) return emit(start, end, physical, PageMapKind::Stored, flags);
    for (uint64_t at = start; at < end;) {
      const PhysicalAddress page = physical + (at - start);
      const uint32_t first = stored_at(page);
      uint64_t count = 1;
      const uint64_t left = (end - at) / kPageSize;
      if (first != 0) {
        while (count < left && stored_at(page + count * kPageSize) == first + count) ++count;
        const uint64_t content = uint64_t{first - 1} * kPageSize, length = count * kPageSize;
        if (!visitor_.visit({{at, length, page, PageMapKind::Alias, flags}, content, region_})) return false;
      } else {
        while (count < left && stored_at(page + count * kPageSize) == 0) ++count;
        for (uint64_t index = 0; index < count; ++index)
          mark_stored(page + index * kPageSize, content_bytes_ / kPageSize + index);
        if (!emit(at, at + count * kPageSize, page, PageMapKind::Stored, flags)) return false;
      }
      at += count * kPageSize;
    }
    return true;
  }

  // Content page number plus 1; 0: not stored.
  uint32_t stored_at(PhysicalAddress page) const {
    return page / kPageSize < stored_at_.size() ? stored_at_[page / kPageSize] : 0;
  }
  void mark_stored(PhysicalAddress page, uint64_t content_page) {
    if (page / kPageSize < stored_at_.size()) stored_at_[page / kPageSize] = static_cast<uint32_t>(content_page + 1);
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

  bool emit_zeros(uint64_t start, uint64_t end, uint32_t flags) {
    const uint64_t length = end - start;
    const bool stores = level_ != DumpLevel::Registers && length <= kLargestStoredZeroRun &&
                        zeros_stored_ + length <= kStoredZeroBudget;
    if (stores) zeros_stored_ += length;
    return emit(start, end, kNoPhysical, stores ? PageMapKind::Stored : PageMapKind::Untouched, flags);
  }

  // What this mapping of a file in memory would show had the program looked: pages that were written elsewhere, and
  // holes.
  bool emit_memory_file(const MemoryArea& area, uint64_t start, uint64_t end, uint32_t flags) {
    for (uint64_t at = start; at < end;) {
      const uint64_t index = (area.file_offset + (at - area.start)) / kPageSize;
      const MemoryFileRun run = run_of_memory_file(area.memory, index, index + (end - at) / kPageSize);
      const uint64_t run_end = at + (run.end - index) * kPageSize;
      bool go_on = true;
      if (run.physical != 0)
        go_on = emit_content(at, run_end, run.physical, flags);
      else if (run.is_damaged)
        go_on = emit(at, run_end, kNoPhysical, PageMapKind::Dropped, flags);
      else
        go_on = emit_zeros(at, run_end, flags);
      if (!go_on) return false;
      at = run_end;
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
          if (area.memory != nullptr)
            go_on = emit_memory_file(area, run.start, run.end, flags);
          else if (zero_filled)
            go_on = emit_zeros(run.start, run.end, flags);
          else  // content of a file that the program never looked at: its bytes are in that file (NT_FILE)
            go_on = emit(run.start, run.end, kNoPhysical, PageMapKind::Dropped, flags);
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
      case PageOwner::Reserved:
        if (page >= state_.reserve_start && page < state_.reserve_end) return DirectMapped::Dropped;
        return level_ == DumpLevel::Full ? DirectMapped::Content : DirectMapped::Dropped;
      case PageOwner::App:
        // Stored (or named as dropped) under the app's own address, unless the app may not look at it (PROT_NONE).
        if (level_ != DumpLevel::Full || stored_at_.empty() || stored_at(page) != 0) return DirectMapped::Alias;
        return DirectMapped::Content;
      case PageOwner::KernelImage:
      case PageOwner::KernelStack:
        return level_ == DumpLevel::Full ? DirectMapped::Alias : DirectMapped::Dropped;
      case PageOwner::DiskState:  // mapped by the app, or not
      case PageOwner::SharedMemory:
        if (stored_at(page) != 0) return DirectMapped::Alias;
        return level_ == DumpLevel::Full ? DirectMapped::Content : DirectMapped::Dropped;  // files that nobody maps
      case PageOwner::Lost:
      case PageOwner::PageCache:
        // Content of files: on the disk. What the app mapped of it is stored there.
        return stored_at(page) != 0 ? DirectMapped::Alias : DirectMapped::Dropped;
    }
    return DirectMapped::Nothing;
  }

  bool direct_mapped() {
    ++region_;
    const uint64_t pages = memory_page_count();
    const uint32_t flags = kPageRead | kPageWrite;
    // Most of a large memory is nobody's, and this walk is made five times a dump.
    for (uint64_t page = next_used_page(0); page < pages;) {
      const DirectMapped kind = direct_mapped_kind(page * kPageSize);
      uint64_t end = page + 1;
      while (end < pages && direct_mapped_kind(end * kPageSize) == kind) ++end;
      const PhysicalAddress physical = page * kPageSize;
      const uint64_t start = g_direct_map_base + physical;
      const uint64_t stop = g_direct_map_base + end * kPageSize;
      bool go_on = true;
      if (kind == DirectMapped::Content) go_on = emit_content(start, stop, physical, flags);
      if (kind == DirectMapped::Alias) go_on = emit(start, stop, physical, PageMapKind::Alias, flags);
      if (kind == DirectMapped::Dropped) go_on = emit(start, stop, physical, PageMapKind::Dropped, flags);
      if (!go_on) return false;
      page = next_used_page(end);
    }
    return true;
  }

  const CrashState& state_;
  DumpLevel level_;
  PieceVisitor& visitor_;
  DumpWindows windows_;
  uint32_t region_ = 0;
  uint64_t zeros_stored_ = 0;
  uint64_t content_bytes_ = 0;
  std::span<uint32_t> stored_at_;
};

}  // namespace

bool walk_dump(const CrashState& state, DumpLevel level, PieceVisitor& visitor) {
  return Walk(state, level, visitor).run();
}

bool SegmentVisitor::visit(const DumpPiece& next) {
  if (!piece(next)) return false;
  const PageMapEntry& entry = next.entry;
  if (next.content == kNoContent) return true;
  if (is_open_ && open_.content + open_.size == next.content && region_ == next.region &&
      open_.address + open_.size == entry.virtual_start && open_.flags == entry.flags) {
    if (entry.physical_start != open_.physical + open_.size) open_.physical = kNoPhysical;
    open_.size += entry.length;
    return true;
  }
  if (!flush()) return false;
  open_ = {entry.virtual_start, entry.length, entry.physical_start, next.content, entry.flags};
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
