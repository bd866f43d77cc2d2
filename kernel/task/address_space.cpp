#include "kernel/task/address_space.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/fs/inode.h"
#include "kernel/task/user_pages.h"

namespace kernel {
namespace {

constinit AddressSpace g_address_space;

constexpr uint64_t kPieBase = 0x5555'5555'4000;  // Linux: ELF_ET_DYN_BASE, two thirds of the address space

Visibility visibility(uint8_t protection) {
  return protection != 0 ? Visibility::Visible : Visibility::Hidden;
}

uint64_t random_pages(int bits) {
  return (random64() & ((uint64_t{1} << bits) - 1)) * kPageSize;
}

}  // namespace

PageAccess page_access(const MemoryArea& area, bool writable) {
  // x86 has no write without read.
  return {.write = writable && (area.protection & kProtectWrite) != 0,
          .execute = (area.protection & kProtectExecute) != 0 &&
                     (area.inode == nullptr || area.inode != g_address_space.starting_file),
          .user = area.protection != 0};
}

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
                    .path = request.path,
                    .may_write = request.may_write,
                    .memory = request.memory}));
  return start;
}

void AddressSpace::drop_pages(uint64_t start, uint64_t end) {
  for_each_user_page(start, end, [](uint64_t address, PhysicalAddress page) {
    unmap_user_page(address);
    free_pages(page, 1);
  });
}

Result<void> AddressSpace::unmap(uint64_t start, uint64_t end) {
  while (start < end && areas.overlaps(start, end)) {
    RemovedAreas removed;
    TRY(areas.remove(start, end, removed));
    drop_pages(start, removed.end);
    start = removed.end;
    for (size_t index = 0; index < removed.count; ++index) removed.inodes[index]->closed();
  }
  return {};
}

Result<void> AddressSpace::protect(uint64_t start, uint64_t end, uint8_t protection) {
  if (!areas.covers(start, end)) return Error::NoMemory;
  TRY(areas.protect(start, end, protection));
  for (size_t index = areas.first_ending_after(start); index < areas.size() && areas.at(index).start < end; ++index) {
    const MemoryArea& area = areas.at(index);
    const uint64_t from = area.start > start ? area.start : start, to = area.end < end ? area.end : end;
    for_each_user_page(from, to, [&area](uint64_t address, PhysicalAddress page) {
      // A shared page stays writable only while it is: a file has to be told of its first write.
      const bool writable = area.shared ? changes_unseen(area) || user_page(address).writable : page_users(page) == 1;
      // The tables are there: this cannot fail.
      (void)map_user_page(address, page, page_access(area, writable), visibility(area.protection)).is_error();
    });
  }
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
  const auto move_page = [&area](uint64_t address, uint64_t goal, PhysicalAddress page) -> Result<void> {
    TRY(map_user_page(goal, page, page_access(area, user_page(address).writable), visibility(area.protection)));
    unmap_user_page(address);
    return {};
  };
  Result<void> result;
  for_each_user_page(from, from + kept, [&](uint64_t address, PhysicalAddress page) {
    if (result.is_error()) return;
    result = move_page(address, to + (address - from), page);
  });
  if (result.is_error()) {
    // Out of memory for page tables half way: back with what has moved (the old tables are still there).
    for_each_user_page(to, to + kept, [&](uint64_t address, PhysicalAddress page) {
      (void)move_page(address, from + (address - to), page).is_error();
    });
    TRY(unmap(to, to + to_length));
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

size_t area_count() {
  return g_address_space.areas.size();
}

const MemoryArea& area_at(size_t index) {
  return g_address_space.areas.at(index);
}

}  // namespace kernel
