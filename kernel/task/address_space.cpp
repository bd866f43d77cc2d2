#include "kernel/task/address_space.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/fs/inode.h"
#include "kernel/task/user_pages.h"

namespace kernel {
namespace {

constinit AddressSpace g_address_space;

constexpr uint64_t kPieBase = 0x5555'5555'4000;  // Linux: ELF_ET_DYN_BASE, two thirds of the address space
constexpr uint64_t kReadAroundPages = 16;        // pages of a file that one fault brings in

// Pages of the vDSO and the vvar page belong to the kernel.
bool owns_pages(AreaKind kind) {
  return kind != AreaKind::Vdso && kind != AreaKind::Vvar;
}

PageAccess page_access(uint8_t protection) {
  // x86 has no write without read.
  return {.write = (protection & kProtectWrite) != 0,
          .execute = (protection & kProtectExecute) != 0,
          .user = protection != 0};
}

Visibility visibility(uint8_t protection) {
  return protection != 0 ? Visibility::Visible : Visibility::Hidden;
}

uint64_t random_pages(int bits) {
  return (random64() & ((uint64_t{1} << bits) - 1)) * kPageSize;
}

}  // namespace

AddressSpace& address_space() {
  return g_address_space;
}

void AddressSpace::randomize(uint64_t stack_size) {
  constexpr uint64_t kLeastGap = 128 << 20;  // Linux keeps this much for the stack whatever its limit is
  layout.stack_top = kUserEnd - random_pages(22);
  const uint64_t stack_room = page_up(stack_size) > kLeastGap ? page_up(stack_size) : kLeastGap;
  layout.mmap_top = layout.stack_top - stack_room - kStackGuardGap - random_pages(28);
  layout.program_base = kPieBase + random_pages(28);
}

uint64_t AddressSpace::free_place(uint64_t length, uint64_t hint) const {
  if (hint >= kUserLow && hint <= kUserEnd - length && length <= kUserEnd && !areas.overlaps(hint, hint + length))
    return hint;
  if (const uint64_t place = areas.find_gap(length, kUserLow, layout.mmap_top, kStackGuardGap)) return place;
  return areas.find_gap(length, kUserLow, kUserEnd, kStackGuardGap);
}

Result<uint64_t> AddressSpace::map(const MapRequest& request) {
  if (request.length == 0) return Error::Invalid;
  const uint64_t length = page_up(request.length);
  if (length == 0 || length > kUserEnd) return Error::NoMemory;
  uint64_t start = page_down(request.address);
  if (request.placement == Placement::Anywhere) {
    start = free_place(length, start);
    if (start == 0) return Error::NoMemory;
  } else {
    if (request.address % kPageSize != 0) return Error::Invalid;
    if (start > kUserEnd - length) return Error::NoMemory;
    if (start < kUserLow) return Error::NotPermitted;
    if (request.placement == Placement::FixedNoReplace && areas.overlaps(start, start + length)) return Error::Exists;
    if (request.placement == Placement::Fixed) TRY(unmap(start, start + length));
  }
  TRY(areas.insert({.start = start,
                    .end = start + length,
                    .protection = request.protection,
                    .kind = request.kind,
                    .shared = request.shared,
                    .inode = request.inode,
                    .file_offset = request.file_offset,
                    .path = request.path}));
  return start;
}

Result<void> AddressSpace::unmap(uint64_t start, uint64_t end) {
  // Which pages are the app's is known by the areas, so free before they go; remove() can only fail before it begins.
  if (!areas.overlaps(start, end)) return {};
  const size_t count = areas.size();
  struct KernelOwned {
    uint64_t start, end;
  } kernel_owned[2] = {};
  size_t kernel_owned_count = 0;
  for (size_t index = areas.first_ending_after(start); index < count && areas.at(index).start < end; ++index)
    if (!owns_pages(areas.at(index).kind) && kernel_owned_count < 2)
      kernel_owned[kernel_owned_count++] = {areas.at(index).start, areas.at(index).end};
  TRY(areas.remove(start, end));
  for_each_user_page(start, end, [&](uint64_t address, PhysicalAddress page) {
    unmap_user_page(address);
    for (size_t index = 0; index < kernel_owned_count; ++index)
      if (address >= kernel_owned[index].start && address < kernel_owned[index].end) return;
    free_pages(page, 1);
  });
  return {};
}

Result<void> AddressSpace::protect(uint64_t start, uint64_t end, uint8_t protection) {
  if (!areas.covers(start, end)) return Error::NoMemory;
  TRY(areas.protect(start, end, protection));
  for_each_user_page(start, end, [protection](uint64_t address, PhysicalAddress page) {
    // The tables are there: this cannot fail.
    (void)map_user_page(address, page, page_access(protection), visibility(protection)).is_error();
  });
  return {};
}

Result<void> AddressSpace::move(uint64_t from, uint64_t from_length, uint64_t to, uint64_t to_length) {
  const MemoryArea* old = areas.find(from);
  if (old == nullptr || old->end < from + from_length) return Error::Fault;
  MemoryArea area = *old;
  if (area.inode != nullptr) area.file_offset += from - area.start;
  area.start = to;
  area.end = to + to_length;
  TRY(areas.insert(area));
  const uint64_t kept = from_length < to_length ? from_length : to_length;
  Result<void> result;
  for_each_user_page(from, from + kept, [&](uint64_t address, PhysicalAddress page) {
    if (result.is_error()) return;
    result = map_user_page(to + (address - from), page, page_access(area.protection), visibility(area.protection));
    if (!result.is_error()) unmap_user_page(address);
  });
  if (result.is_error()) {
    // Out of memory for page tables half way: back with what has moved (the old tables are still there).
    for_each_user_page(to, to + kept, [&](uint64_t address, PhysicalAddress page) {
      if (map_user_page(from + (address - to), page, page_access(area.protection), visibility(area.protection)))
        unmap_user_page(address);
    });
    TRY(areas.remove(to, to + to_length));
    return Error::NoMemory;
  }
  return unmap(from, from + from_length);
}

Result<uint64_t> AddressSpace::set_break(uint64_t end) {
  if (end < layout.heap_start || end > kUserEnd) return layout.heap_end;
  const uint64_t old_top = page_up(layout.heap_end), new_top = page_up(end);
  if (new_top < old_top) {
    if (unmap(new_top, old_top).is_error()) return layout.heap_end;
  } else if (new_top > old_top) {
    if (areas.overlaps(old_top, new_top + kPageSize)) return layout.heap_end;
    if ((new_top - layout.heap_start) / kPageSize > ram_page_count()) return layout.heap_end;
    MapRequest request{.address = old_top,
                       .length = new_top - old_top,
                       .protection = kProtectRead | kProtectWrite,
                       .kind = AreaKind::Heap,
                       .placement = Placement::FixedNoReplace};
    if (map(request).is_error()) return layout.heap_end;
  }
  layout.heap_end = end;
  return end;
}

FaultResult AddressSpace::fault(uint64_t address, Access access) {
  const MemoryArea* area = areas.find(address);
  if (area == nullptr) return FaultResult::NotMapped;
  const bool allowed = access == Access::Write     ? (area->protection & kProtectWrite) != 0
                       : access == Access::Execute ? (area->protection & kProtectExecute) != 0
                                                   : area->protection != 0;
  if (!allowed) return FaultResult::AccessDenied;
  const uint64_t page = page_down(address);
  if (auto mapping = kernel_page_table().lookup(page)) {
    kernel_page_table().protect(page, page_access(area->protection));
    return FaultResult::Resolved;
  }
  if (area->inode != nullptr) return bring_in_file_page(*area, page);
  auto physical = allocate_page(PageOwner::App);
  if (physical.is_error()) return FaultResult::NoMemory;
  if (kernel_page_table().map(page, physical.value(), page_access(area->protection)).is_error()) {
    free_pages(physical.value(), 1);
    return FaultResult::NoMemory;
  }
  return FaultResult::Resolved;
}

FaultResult AddressSpace::bring_in_file_page(const MemoryArea& area, uint64_t page) {
  auto status = area.inode->status();
  if (status.is_error()) return FaultResult::ReadFailed;
  const uint64_t offset = area.file_offset + (page - area.start);
  if (offset >= page_up(status.value().size)) return FaultResult::PastEndOfFile;

  // As many pages as stand side by side in the area and in the file, and are not there yet.
  uint64_t count = (area.end - page) / kPageSize;
  const uint64_t in_file = (page_up(status.value().size) - offset) / kPageSize;
  if (count > in_file) count = in_file;
  if (count > kReadAroundPages) count = kReadAroundPages;
  for (uint64_t index = 1; index < count; ++index)
    if (kernel_page_table().lookup(page + index * kPageSize)) count = index;
  PhysicalAddress physical = 0;
  while (physical == 0) {
    auto allocated = allocate_pages(count, PageOwner::App);
    if (allocated) physical = allocated.value();
    if (!allocated && count == 1) return FaultResult::NoMemory;
    if (!allocated) count = 1;
  }
  auto read = area.inode->read(offset, {direct_map<uint8_t>(physical), count * kPageSize});
  if (read.is_error()) {
    free_pages(physical, count);
    return FaultResult::ReadFailed;
  }
  for (uint64_t index = 0; index < count; ++index) {
    const PhysicalAddress frame = physical + index * kPageSize;
    if (kernel_page_table().map(page + index * kPageSize, frame, page_access(area.protection)).is_error()) {
      free_pages(frame, count - index);
      return index == 0 ? FaultResult::NoMemory : FaultResult::Resolved;
    }
  }
  return FaultResult::Resolved;
}

size_t area_count() {
  return g_address_space.areas.size();
}

const MemoryArea& area_at(size_t index) {
  return g_address_space.areas.at(index);
}

}  // namespace kernel
