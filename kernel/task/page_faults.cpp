// Which page a fault brings in. (More anonymous pages at once than the one that was touched were tried and are not
// worth it: what a first touch costs is the host's page, not the fault.) Anonymous memory gets a page of its own. A
// private mapping of a file shows the page of the file's cache until the first write copies it; a shared one has that
// page itself, and the file is told of its first write. A file system that keeps no pages gives copies.
#include "kernel/fs/inode.h"
#include "kernel/memory/pressure.h"
#include "kernel/task/address_space.h"
#include "kernel/task/user_pages.h"

namespace kernel {
namespace {

constexpr uint64_t kAroundPages = 16;  // a fault on a page of a file maps as many of its neighbours (a power of two)

bool is_allowed(const MemoryArea& area, Access access) {
  switch (access) {
    case Access::Write:
      return (area.protection & kProtectWrite) != 0;
    case Access::Execute:
      return (area.protection & kProtectExecute) != 0;
    case Access::Read:
      break;
  }
  return area.protection != 0;  // x86 reads what it may write or execute
}

uint64_t file_index(const MemoryArea& area, uint64_t page) {
  return (area.file_offset + (page - area.start)) / kPageSize;
}

FaultResult result_of(Error error) {
  switch (error) {
    case Error::NoMemory:
      return FaultResult::NoMemory;
    case Error::Invalid:
      return FaultResult::PastEndOfFile;
    default:
      return FaultResult::ReadFailed;
  }
}

// A debugger, or the kernel before there is a program, does not wait for the disk.
MayWait may_write_for_memory() {
  return g_current_thread != nullptr && g_current_thread->kind == ThreadKind::App ? MayWait::Yes : MayWait::No;
}

// In the page table at `page`, which takes over the reference.
FaultResult map_page(const MemoryArea& area, uint64_t page, PhysicalAddress physical, bool writable) {
  const Visibility visibility = area.protection != 0 ? Visibility::Visible : Visibility::Hidden;
  if (!map_user_page(page, physical, page_access(area, writable), visibility).is_error()) return FaultResult::Resolved;
  free_pages(physical, 1);
  return FaultResult::NoMemory;
}

}  // namespace

FaultResult AddressSpace::fault(uint64_t address, Access access) {
  relieve_memory_if_short();
  while (true) {
    const FaultResult result = resolve(address, access);
    if (result != FaultResult::NoMemory || !find_memory(may_write_for_memory())) return result;
  }
}

FaultResult AddressSpace::resolve(uint64_t address, Access access) {
  const MemoryArea* found = areas.find(address);
  if (found == nullptr) return FaultResult::NotMapped;
  if (!is_allowed(*found, access)) return FaultResult::AccessDenied;
  const MemoryArea area = *found;  // the list may move while a page is read from disk
  const uint64_t page = page_down(address);
  if (access == Access::Execute && area.inode != nullptr && area.inode == starting_file) starting_file = nullptr;
  const UserPage there = user_page(page);
  if (there.physical == 0) return bring_in(area, page, access);
  if (access == Access::Write && !there.writable) return make_writable(area, page, there.physical);
  kernel_page_table().protect(page, page_access(area, there.writable));  // an old entry of the TLB
  return FaultResult::Resolved;
}

FaultResult AddressSpace::prepare_forced_write(uint64_t address) {
  const MemoryArea* found = areas.find(address);
  if (found == nullptr) return FaultResult::NotMapped;
  const MemoryArea area = *found;
  const uint64_t page = page_down(address);
  const UserPage there = user_page(page);
  if (there.physical == 0) {
    if (area.protection == 0) return FaultResult::AccessDenied;  // PROT_NONE that was never touched has no content
    return bring_in(area, page, Access::Write);
  }
  return there.writable ? FaultResult::Resolved : make_writable(area, page, there.physical);
}

// Is what was there before a wait still there?
bool AddressSpace::is_unchanged(const MemoryArea& area, uint64_t page) const {
  const MemoryArea* now = areas.find(page);
  return now != nullptr && now->inode == area.inode && now->shared == area.shared &&
         now->protection == area.protection && now->kind == area.kind &&
         (area.inode == nullptr || file_index(*now, page) == file_index(area, page));
}

FaultResult AddressSpace::bring_in(const MemoryArea& area, uint64_t page, Access access) {
  if (area.inode != nullptr) return bring_in_file_page(area, page, access);
  auto physical = allocate_page(PageOwner::App);
  if (physical.is_error()) return FaultResult::NoMemory;
  return map_page(area, page, physical.value(), true);
}

FaultResult AddressSpace::bring_in_file_page(const MemoryArea& area, uint64_t page, Access access) {
  const InodeHold hold(area.inode);
  const bool writes = access == Access::Write, changes = writes && area.shared;
  auto cached = area.inode->shared_page(file_index(area, page), changes ? Inode::PageUse::Write : Inode::PageUse::Read);
  if (cached.is_error() && cached.error() == Error::NotSupported) return bring_in_copies(area, page);
  if (cached.is_error()) return result_of(cached.error());
  PhysicalAddress physical = cached.value();
  if (!is_unchanged(area, page) || user_page(page).physical != 0) {
    free_pages(physical, 1);
    return FaultResult::Resolved;  // the program comes again if it still wants it
  }
  if (writes && !area.shared) {
    auto copy = allocate_page(PageOwner::App);
    if (copy) __builtin_memcpy(direct_map(copy.value()), direct_map(physical), kPageSize);
    free_pages(physical, 1);
    if (copy.is_error()) return FaultResult::NoMemory;
    physical = copy.value();
  }
  const FaultResult result = map_page(area, page, physical, writes || changes_unseen(area));
  // A neighbour of what is written would fault again for its own write.
  if (result == FaultResult::Resolved && (!writes || changes_unseen(area))) map_cached_around(area, page);
  return result;
}

void AddressSpace::map_cached_around(const MemoryArea& area, uint64_t page) {
  const uint64_t window = page & ~(kAroundPages * kPageSize - 1), window_end = window + kAroundPages * kPageSize;
  const uint64_t start = window > area.start ? window : area.start;
  const uint64_t end = window_end < area.end ? window_end : area.end;
  for (uint64_t at = start; at < end; at += kPageSize) {
    if (user_page(at).physical != 0) continue;
    const PhysicalAddress cached = area.inode->cached_page(file_index(area, at));
    if (cached != 0 && map_page(area, at, cached, changes_unseen(area)) != FaultResult::Resolved) return;
  }
}

FaultResult AddressSpace::make_writable(const MemoryArea& area, uint64_t page, PhysicalAddress physical) {
  if (area.shared && area.inode != nullptr) {
    const InodeHold hold(area.inode);
    auto told = area.inode->shared_page(file_index(area, page), Inode::PageUse::Write);
    if (told.is_error()) return result_of(told.error());
    const bool same = is_unchanged(area, page) && user_page(page).physical == told.value();
    if (same) kernel_page_table().protect(page, page_access(area, true));
    free_pages(told.value(), 1);
    if (same) return FaultResult::Resolved;
    // The file has another page there now (it was cut and has grown again): the next fault finds it.
    if (is_unchanged(area, page)) drop_pages(page, page + kPageSize);
    return FaultResult::Resolved;
  }
  if (page_users(physical) > 1) {
    auto copy = allocate_page(PageOwner::App);
    if (copy.is_error()) return FaultResult::NoMemory;
    __builtin_memcpy(direct_map(copy.value()), direct_map(physical), kPageSize);
    const FaultResult result = map_page(area, page, copy.value(), true);
    if (result == FaultResult::Resolved) free_pages(physical, 1);
    return result;
  }
  if (area.protection != 0) kernel_page_table().protect(page, page_access(area, true));
  return FaultResult::Resolved;
}

// Of a file system that keeps no pages: pages of the mapping's own, as many as stand side by side in the area and in
// the file and are not there yet.
FaultResult AddressSpace::bring_in_copies(const MemoryArea& area, uint64_t page) {
  auto status = area.inode->status();
  if (status.is_error()) return FaultResult::ReadFailed;
  const uint64_t offset = area.file_offset + (page - area.start);
  if (offset >= page_up(status.value().size)) return FaultResult::PastEndOfFile;
  uint64_t count = (area.end - page) / kPageSize;
  const uint64_t in_file = (page_up(status.value().size) - offset) / kPageSize;
  if (count > in_file) count = in_file;
  if (count > kAroundPages) count = kAroundPages;
  for (uint64_t index = 1; index < count; ++index)
    if (user_page(page + index * kPageSize).physical != 0) count = index;
  PhysicalAddress physical = 0;
  while (physical == 0) {
    auto allocated = allocate_pages(count, PageOwner::App);
    if (allocated) physical = allocated.value();
    if (!allocated && count == 1) return FaultResult::NoMemory;
    if (!allocated) count = 1;
  }
  auto read = area.inode->read(offset, {direct_map<uint8_t>(physical), count * kPageSize});
  for (uint64_t index = 0; index < count; ++index) {
    const uint64_t at = page + index * kPageSize;
    const PhysicalAddress frame = physical + index * kPageSize;
    if (read.is_error() || !is_unchanged(area, at) || user_page(at).physical != 0) {
      free_pages(frame, 1);
      continue;
    }
    if (map_page(area, at, frame, true) == FaultResult::Resolved) continue;
    if (index + 1 < count) free_pages(frame + kPageSize, count - index - 1);
    return index == 0 ? FaultResult::NoMemory : FaultResult::Resolved;
  }
  return read.is_error() ? FaultResult::ReadFailed : FaultResult::Resolved;
}

}  // namespace kernel
