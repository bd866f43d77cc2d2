// brk and the mmap family (mm/mmap.c, mm/mremap.c and mm/madvise.c say what each errno means).
#include "kernel/fs/inode.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/memory/physical.h"
#include "kernel/task/address_space.h"
#include "kernel/task/user_pages.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kMapShared = 1, kMapPrivate = 2, kMapSharedValidate = 3, kMapTypeMask = 0xF, kMapFixed = 0x10,
                   kMapAnonymous = 0x20, kMapNoReserve = 0x4000, kMapPopulate = 0x8000, kMapFixedNoReplace = 0x100000;
constexpr uint64_t kAllProtections = kProtectRead | kProtectWrite | kProtectExecute;

// [start, start + length) in pages; Invalid when the start is no page's.
struct Range {
  uint64_t start, end;
};
Result<Range> page_range(uint64_t start, uint64_t length, Error too_long) {
  if (start % kPageSize != 0) return Error::Invalid;
  const uint64_t rounded = page_up(length);
  if (rounded < length || start > kUserEnd || rounded > kUserEnd - start) return too_long;
  return Range{start, start + rounded};
}

void populate(uint64_t start, uint64_t end, Access access) {
  for (uint64_t page = start; page < end; page += kPageSize)
    if (address_space().fault(page, access) != FaultResult::Resolved) return;
}

// Linux's heuristic overcommit: only what could never fit is refused.
bool could_fit(uint64_t length) {
  return length / kPageSize <= ram_page_count();
}

}  // namespace

MORTEM_CALL(brk) {
  return address_space().set_break(argument[0]);
}

MORTEM_CALL(mmap) {
  const uint64_t flags = argument[3], type = flags & kMapTypeMask;
  MapRequest request{
      .address = argument[0], .length = argument[1], .protection = static_cast<uint8_t>(argument[2] & kAllProtections)};
  if (argument[5] % kPageSize != 0 || argument[1] == 0) return Error::Invalid;
  if (type != kMapPrivate && type != kMapShared && type != kMapSharedValidate) return Error::Invalid;
  request.shared = type != kMapPrivate;
  if ((flags & kMapFixedNoReplace) != 0)
    request.placement = Placement::FixedNoReplace;
  else if ((flags & kMapFixed) != 0)
    request.placement = Placement::Fixed;
  else
    request.address = page_down(request.address);

  if ((flags & kMapAnonymous) == 0) {
    OpenFile& file = *TRY(open_file(argument.number(4)));
    if (!file.can_read()) return Error::AccessDenied;
    Inode* inode = file.inode();
    if (inode == nullptr) return Error::NoSuchDevice;
    const FileType file_type = TRY(inode->status()).type;
    if (file_type != FileType::Regular) {
      // /dev/zero, mapped, is anonymous memory (zero(4)); other devices have nothing to map.
      if (!is_zero_device(*inode)) return Error::NoSuchDevice;
    } else {
      // Pages of a file are read, never written back: a shared mapping can only be for reading.
      if (request.shared && (request.protection & kProtectWrite) != 0)
        return file.can_write() ? Error::NoSuchDevice : Error::AccessDenied;
      request.kind = AreaKind::File;
      request.inode = inode;
      request.file_offset = argument[5];
      request.path = kept_path(file.path());
      if (request.path == nullptr) return Error::NoMemory;
    }
  }
  if ((request.protection & kProtectWrite) != 0 && !request.shared && (flags & kMapNoReserve) == 0 &&
      !could_fit(request.length))
    return Error::NoMemory;
  const uint64_t start = TRY(address_space().map(request));
  if ((flags & kMapPopulate) != 0 && request.protection != 0)
    populate(start, start + page_up(request.length),
             (request.protection & kProtectWrite) != 0 ? Access::Write : Access::Read);
  if (request.kind == AreaKind::File && (request.protection & kProtectExecute) != 0)
    note_mapped_file(*request.inode, request.path, start, page_up(request.length), request.file_offset);
  return start;
}

MORTEM_CALL(munmap) {
  if (argument[1] == 0) return Error::Invalid;
  const Range range = TRY(page_range(argument[0], argument[1], Error::Invalid));
  TRY(address_space().unmap(range.start, range.end));
  return 0;
}

MORTEM_CALL(mprotect) {
  constexpr uint64_t kGrowsDown = 0x01000000, kGrowsUp = 0x02000000;
  if ((argument[2] & ~(kAllProtections | kGrowsDown | kGrowsUp)) != 0) return Error::Invalid;
  const Range range = TRY(page_range(argument[0], argument[1], Error::NoMemory));
  if (range.start == range.end) return 0;
  const auto protection = static_cast<uint8_t>(argument[2] & kAllProtections);
  AddressSpace& space = address_space();
  if ((protection & kProtectWrite) != 0)
    for (size_t index = space.areas.first_ending_after(range.start);
         index < space.areas.size() && space.areas.at(index).start < range.end; ++index) {
      const MemoryArea& area = space.areas.at(index);
      if ((area.inode != nullptr && area.shared) || area.kind == AreaKind::Vvar || area.kind == AreaKind::Vdso)
        return Error::AccessDenied;
    }
  TRY(space.protect(range.start, range.end, protection));
  return 0;
}

MORTEM_CALL(mremap) {
  constexpr uint64_t kMayMove = 1, kFixed = 2, kDontUnmap = 4;
  const uint64_t flags = argument[3];
  if ((flags & ~(kMayMove | kFixed | kDontUnmap)) != 0 || ((flags & kFixed) != 0 && (flags & kMayMove) == 0))
    return Error::Invalid;
  if ((flags & kDontUnmap) != 0) return Error::Invalid;
  const uint64_t old_start = argument[0], old_length = page_up(argument[1]), length = page_up(argument[2]);
  if (old_start % kPageSize != 0 || length == 0 || old_length == 0) return Error::Invalid;
  AddressSpace& space = address_space();
  const MemoryArea* found = space.areas.find(old_start);
  if (found == nullptr || found->end - old_start < old_length) return Error::Fault;
  const MemoryArea area = *found;
  if ((area.protection & kProtectWrite) != 0 && length > old_length && !could_fit(length - old_length))
    return Error::NoMemory;

  if ((flags & kFixed) != 0) {
    const uint64_t to = argument[4];
    if (to % kPageSize != 0 || to > kUserEnd || length > kUserEnd - to) return Error::Invalid;
    if (to < old_start + old_length && old_start < to + length) return Error::Invalid;
    if (to < kUserLow) return Error::NotPermitted;
    TRY(space.unmap(to, to + length));
    if (length < old_length) TRY(space.unmap(old_start + length, old_start + old_length));
    TRY(space.move(old_start, length < old_length ? length : old_length, to, length));
    return to;
  }
  if (length <= old_length) {
    if (length < old_length) TRY(space.unmap(old_start + length, old_start + old_length));
    return old_start;
  }
  const uint64_t old_end = old_start + old_length, new_end = old_start + length;
  if (old_end == area.end && length <= kUserEnd - old_start && !space.areas.overlaps(old_end, new_end)) {
    MapRequest more{.address = old_end,
                    .length = length - old_length,
                    .protection = area.protection,
                    .kind = area.kind,
                    .shared = area.shared,
                    .inode = area.inode,
                    .file_offset = area.file_offset + (old_end - area.start),
                    .path = area.path,
                    .placement = Placement::FixedNoReplace};
    TRY(space.map(more));
    return old_start;
  }
  if ((flags & kMayMove) == 0) return Error::NoMemory;
  const uint64_t to = space.free_place(length, 0);
  if (to == 0) return Error::NoMemory;
  TRY(space.move(old_start, old_length, to, length));
  return to;
}

MORTEM_CALL(madvise) {
  constexpr int kNormal = 0, kWillNeed = 3, kDontNeed = 4, kFree = 8, kRemove = 9, kHighestHint = 21,
                kPopulateRead = 22, kPopulateWrite = 23, kDontNeedLocked = 24;
  const int advice = argument.number(2);
  const bool known = (advice >= kNormal && advice <= kDontNeed) || (advice >= kFree && advice <= kDontNeedLocked);
  if (!known) return Error::Invalid;
  const Range range = TRY(page_range(argument[0], argument[1], Error::Invalid));
  AddressSpace& space = address_space();
  const bool covered = space.areas.covers(range.start, range.end);
  if (advice == kDontNeed || advice == kFree || advice == kDontNeedLocked) {
    for (size_t index = space.areas.first_ending_after(range.start);
         index < space.areas.size() && space.areas.at(index).start < range.end; ++index) {
      const MemoryArea& area = space.areas.at(index);
      if (area.kind == AreaKind::Vdso || area.kind == AreaKind::Vvar) return Error::Invalid;
      if (area.shared && area.inode == nullptr) continue;  // the content is the mapping's, not this view's
      if (advice == kFree && area.inode != nullptr) return Error::Invalid;
      const uint64_t start = area.start > range.start ? area.start : range.start;
      const uint64_t end = area.end < range.end ? area.end : range.end;
      for_each_user_page(start, end, [](uint64_t address, PhysicalAddress page) {
        unmap_user_page(address);
        free_pages(page, 1);
      });
    }
  } else if (advice == kRemove) {
    return Error::NotSupported;
  } else if (advice == kPopulateRead || advice == kPopulateWrite) {
    if (!covered) return Error::NoMemory;
    populate(range.start, range.end, advice == kPopulateWrite ? Access::Write : Access::Read);
  }
  static_assert(kWillNeed < kDontNeed && kHighestHint < kPopulateRead);  // hints in between change nothing here
  if (!covered) return Error::NoMemory;
  return 0;
}

MORTEM_CALL(msync) {
  constexpr uint64_t kAsync = 1, kInvalidate = 2, kSync = 4;
  const uint64_t flags = argument[2];
  if ((flags & ~(kAsync | kInvalidate | kSync)) != 0 || (flags & (kAsync | kSync)) == (kAsync | kSync))
    return Error::Invalid;
  const Range range = TRY(page_range(argument[0], argument[1], Error::NoMemory));
  if (!address_space().areas.covers(range.start, range.end)) return Error::NoMemory;
  return 0;  // no mapping is ever written back
}

MORTEM_CALL(mincore) {
  const Range range = TRY(page_range(argument[0], argument[1], Error::NoMemory));
  if (!address_space().areas.covers(range.start, range.end)) return Error::NoMemory;
  uint8_t resident[256];
  for (uint64_t page = range.start, to = argument[2]; page < range.end;) {
    size_t count = 0;
    for (; count < sizeof resident && page < range.end; ++count, page += kPageSize)
      resident[count] = kernel_page_table().lookup(page).has_value() ? 1 : 0;
    TRY(copy_to_user(to, resident, count));
    to += count;
  }
  return 0;
}

// Pages are never swapped out: locking them is bringing them in.
MORTEM_CALL(mlock) {
  const uint64_t start = page_down(argument[0]);
  const Range range = TRY(page_range(start, argument[1] + (argument[0] - start), Error::NoMemory));
  if (!address_space().areas.covers(range.start, range.end)) return Error::NoMemory;
  for (uint64_t page = range.start; page < range.end; page += kPageSize) {
    const FaultResult result = address_space().fault(page, Access::Read);
    if (result == FaultResult::NoMemory) return Error::Again;
    if (result != FaultResult::Resolved) return Error::NoMemory;
  }
  return 0;
}
MORTEM_CALL(mlock2) {
  constexpr uint64_t kOnFault = 1;
  if ((argument[2] & ~kOnFault) != 0) return Error::Invalid;
  return (argument[2] & kOnFault) != 0 ? Result<uint64_t>(0) : call_mlock(argument);
}
MORTEM_CALL(munlock) {
  return 0;
}
MORTEM_CALL(mlockall) {
  return (argument[0] == 0 || argument[0] > 7) ? Result<uint64_t>(Error::Invalid) : 0;
}
MORTEM_CALL(munlockall) {
  return 0;
}

}  // namespace kernel::linux
