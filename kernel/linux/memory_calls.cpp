// brk and the mmap family (mm/mmap.c, mm/mremap.c and mm/madvise.c say what each errno means).
#include "kernel/fs/inode.h"
#include "kernel/library/log.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/memory_file.h"
#include "kernel/linux/new_code.h"
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

// Linux's heuristic overcommit: only what could never fit is refused. Small machines answer as one of 128 MiB would:
// Go's runtime reserves 32 MiB at once and touches a few pages of it.
bool could_fit(uint64_t length) {
  constexpr uint64_t kAlwaysFits = 128 << 20;
  return length <= kAlwaysFits || length / kPageSize <= ram_page_count();
}

// A file of its own behind MAP_SHARED | MAP_ANONYMOUS, as on Linux, so that views of it can be made (mremap).
Result<void> share_anonymous(MapRequest& request) {
  MemoryFile* file = TRY(make_memory_file(0777));
  request.kind = AreaKind::File;
  request.inode = file;
  request.memory = file->memory();
  request.file_offset = 0;
  request.path = "/dev/zero (deleted)";
  const InodeHold hold(file);
  TRY(file->resize(page_up(request.length)));
  file->opened();  // until the mapping holds it: the caller's
  return {};
}

// What the file says to a mapping of that kind, and what the mapping has to know of it.
Result<void> map_file(OpenFile& file, Inode& inode, const InodeStatus& status, MapRequest& request) {
  const bool writes = (request.protection & kProtectWrite) != 0;
  request.kind = AreaKind::File;
  request.inode = &inode;
  request.memory = inode.memory();
  request.path = kept_path(file.path());
  if (request.path == nullptr) return Error::NoMemory;
  if (!request.shared) return {};
  if (writes && !file.can_write()) return Error::AccessDenied;
  request.may_write = file.can_write();
  if (auto seals = inode.seals(); seals && (seals.value() & (kSealWrite | kSealFutureWrite)) != 0) {
    if (writes) return Error::NotPermitted;
    request.may_write = false;
  }
  if (!request.may_write || status.size == 0) return {};
  // Without pages that are the file's own nothing would ever reach it. Asking brings in a page that is mapped soon.
  auto page = inode.shared_page(0, Inode::PageUse::Read);
  if (page) {
    free_pages(page.value(), 1);
  } else if (page.error() == Error::NotSupported) {
    if (writes) {
      log(LogLevel::Warning, "mmap: %s cannot be shared for writing: its file system keeps no pages: ENODEV",
          request.path);
      return Error::NoSuchDevice;
    }
    request.may_write = false;
  }
  return {};
}

// A mapping of the same kind that begins with what `area` shows at `address` (at its end: what comes next).
MapRequest view_of(const MemoryArea& area, uint64_t address) {
  return {.protection = area.protection,
          .kind = area.kind,
          .shared = area.shared,
          .inode = area.inode,
          .file_offset = area.inode != nullptr ? area.file_offset + (address - area.start) : 0,
          .path = area.path,
          .may_write = area.may_write,
          .memory = area.memory};
}

// madvise(2): MADV_REMOVE makes holes in files that live in memory.
Result<void> remove_content(uint64_t start, uint64_t end) {
  AddressSpace& space = address_space();
  for (uint64_t at = start; at < end;) {
    const size_t index = space.areas.first_ending_after(at);
    if (index >= space.areas.size() || space.areas.at(index).start >= end) return {};
    const MemoryArea area = space.areas.at(index);
    if (area.inode == nullptr) return Error::Invalid;
    if (!area.shared || !area.may_write) return Error::AccessDenied;
    const uint64_t from = area.start > start ? area.start : start, to = area.end < end ? area.end : end;
    const InodeHold hold(area.inode);
    TRY(area.inode->punch_hole(area.file_offset + (from - area.start), to - from));
    at = to;
  }
  return {};
}

// mincore(2): of a file it is its cache that counts.
bool is_resident(const MemoryArea& area, uint64_t page) {
  if (user_page(page).physical != 0) return true;
  if (area.inode == nullptr) return false;
  const PhysicalAddress cached = area.inode->cached_page((area.file_offset + (page - area.start)) / kPageSize);
  if (cached == 0) return false;
  free_pages(cached, 1);
  return true;
}

}  // namespace

MORTEM_CALL(brk) {
  return address_space().set_break(argument[0]);
}

namespace {

// `file`: null for anonymous memory; held by the caller.
Result<uint64_t> map(const Arguments& argument, MapRequest& request, uint64_t flags, OpenFile* file) {
  TRY(check_new_code(argument, "mmap", 0, request.length, request.protection));
  if (file != nullptr) {
    if (!file->can_read()) return Error::AccessDenied;
    Inode* inode = file->inode();
    if (inode == nullptr) return Error::NoSuchDevice;
    const InodeStatus status = TRY(inode->status());
    if (status.type == FileType::Regular) {
      TRY(map_file(*file, *inode, status, request));
    } else if (!is_zero_device(*inode)) {
      // /dev/zero, mapped, is anonymous memory (zero(4)); other devices have nothing to map.
      return Error::NoSuchDevice;
    }
  }
  const bool takes_memory = request.inode == nullptr && (request.shared || (request.protection & kProtectWrite) != 0);
  if (takes_memory && (flags & kMapNoReserve) == 0 && !could_fit(request.length)) return Error::NoMemory;
  const bool shares_anonymous = request.shared && request.inode == nullptr;
  if (shares_anonymous) TRY(share_anonymous(request));
  const InodeHold hold(request.inode);
  if (shares_anonymous) request.inode->closed();
  const uint64_t start = TRY(address_space().map(request));
  if ((flags & kMapPopulate) != 0 && request.protection != 0)
    populate(start, start + page_up(request.length),
             (request.protection & kProtectWrite) != 0 ? Access::Write : Access::Read);
  if (request.kind == AreaKind::File && request.memory == nullptr && (request.protection & kProtectExecute) != 0)
    note_mapped_file(*request.inode, request.path, start, page_up(request.length), request.file_offset);
  return start;
}

}  // namespace

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
  if ((flags & kMapAnonymous) != 0) return map(argument, request, flags, nullptr);
  if (argument[1] > ~argument[5]) return Error::Overflow;
  request.file_offset = argument[5];
  OpenFile* file = TRY(open_file(argument.number(4)));
  file->retain();  // another thread may close the descriptor while this one waits
  auto start = map(argument, request, flags, file);
  file->release();
  return start;
}

MORTEM_CALL(munmap) {
  if (argument[1] == 0) return Error::Invalid;
  const Range range = TRY(page_range(argument[0], argument[1], Error::Invalid));
  TRY(address_space().unmap(range.start, range.end));
  remove_modules(range.start, range.end);
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
      if (!area.may_write || area.kind == AreaKind::Vvar || area.kind == AreaKind::Vdso) return Error::AccessDenied;
    }
  TRY(check_new_code(argument, "mprotect", range.start, range.end - range.start, protection));
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
  if (old_start % kPageSize != 0 || length == 0) return Error::Invalid;
  AddressSpace& space = address_space();
  const MemoryArea* found = space.areas.find(old_start);
  if (found == nullptr) return Error::Fault;
  const MemoryArea area = *found;
  const InodeHold hold(area.inode);
  // mremap(2): an old size of zero makes another view of a shared mapping.
  if (old_length == 0) {
    if (!area.shared || (flags & kMayMove) == 0) return Error::Invalid;
    MapRequest view = view_of(area, old_start);
    view.length = length;
    if ((flags & kFixed) != 0) {
      view.address = argument[4];
      view.placement = Placement::Fixed;
    }
    return space.map(view);
  }
  if (area.end - old_start < old_length) return Error::Fault;
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
    MapRequest more = view_of(area, old_end);
    more.address = old_end;
    more.length = length - old_length;
    more.placement = Placement::FixedNoReplace;
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
      if (advice == kFree && area.inode != nullptr) return Error::Invalid;
      const uint64_t start = area.start > range.start ? area.start : range.start;
      const uint64_t end = area.end < range.end ? area.end : range.end;
      space.drop_pages(start, end);  // what is shared stays with its file
    }
  } else if (advice == kRemove) {
    TRY(remove_content(range.start, range.end));
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
  if ((flags & kSync) == 0) return 0;
  for (uint64_t at = range.start; at < range.end;) {
    const MemoryArea* found = address_space().areas.find(at);
    if (found == nullptr) return Error::NoMemory;  // unmapped while this call waited for the disk
    const MemoryArea area = *found;
    at = area.end;
    if (!area.shared || area.inode == nullptr) continue;
    const InodeHold hold(area.inode);
    TRY(area.inode->sync(SyncKind::ContentAndSize));
  }
  return 0;
}

MORTEM_CALL(mincore) {
  const Range range = TRY(page_range(argument[0], argument[1], Error::NoMemory));
  if (!address_space().areas.covers(range.start, range.end)) return Error::NoMemory;
  uint8_t resident[256];
  for (uint64_t page = range.start, to = argument[2]; page < range.end;) {
    size_t count = 0;
    for (; count < sizeof resident && page < range.end; ++count, page += kPageSize)
      resident[count] = is_resident(*address_space().areas.find(page), page) ? 1 : 0;
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
