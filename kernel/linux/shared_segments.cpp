// System V shared memory (shmget(2), shmat(2), shmctl(2)): segments are files in memory, attaching is mapping.
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/memory_file.h"
#include "kernel/linux/new_code.h"
#include "kernel/memory/heap.h"
#include "kernel/task/address_space.h"

namespace kernel::linux {
namespace {

constexpr int kMostSegments = 4096;                             // SHMMNI
constexpr uint64_t kLargestSegment = ~uint64_t{0} - (1 << 24);  // SHMMAX

struct Segment;

// Held by the table and once by each attachment. When a removed segment loses its last attachment, however that went,
// the table lets it go too.
class SegmentFile final : public MemoryFile {
 public:
  SegmentFile(Segment& segment, uint16_t permissions)
      : MemoryFile(kOwnMountDevice, FileType::Regular, permissions, 0, own_mount_limit()), segment_(segment) {}

 private:
  void holder_gone() override;
  Segment& segment_;
};

struct Segment {
  SegmentFile* file = nullptr;  // null: the place is free
  int32_t key = 0;
  uint32_t sequence = 0;  // of this place; makes ids that are not used again at once
  uint64_t size = 0;      // bytes, as asked for
  uint16_t permissions = 0;
  bool is_removed = false;  // IPC_RMID: it ends with its last attachment
  int32_t created_by = 0, last_by = 0;
  int64_t attached_s = 0, detached_s = 0, changed_s = 0;
};
Segment* g_segments[kMostSegments];  // made when first used, never freed

// ipc_ids: a place and a sequence number in one int.
int id_of(int place) {
  return static_cast<int>(g_segments[place]->sequence % 32768 * kMostSegments + static_cast<uint32_t>(place));
}

int64_t now_s() {
  return wall_clock_ns() / 1'000'000'000;
}

Result<Segment*> find_segment(int id) {
  if (id < 0) return Error::Invalid;
  Segment* segment = g_segments[id % kMostSegments];
  if (segment == nullptr || segment->file == nullptr || id_of(id % kMostSegments) != id) return Error::Invalid;
  return segment;
}

uint64_t attachments(const Segment& segment) {
  return segment.file->holders() - 1;  // the table's own
}

void SegmentFile::holder_gone() {
  if (!segment_.is_removed || segment_.file != this || holders_ != 1) return;
  segment_.file = nullptr;
  ++segment_.sequence;
  --holders_;
}

Segment* segment_of(const Inode* inode) {
  for (Segment* segment : g_segments)
    if (segment != nullptr && segment->file != nullptr && segment->file == inode) return segment;
  return nullptr;
}

Result<int> make_segment(int32_t key, uint64_t size, uint16_t permissions) {
  if (size == 0 || size > kLargestSegment) return Error::Invalid;
  if (page_up(size) < size || page_up(size) / kPageSize > ram_page_count()) return Error::NoMemory;
  for (int place = 0; place < kMostSegments; ++place) {
    if (g_segments[place] == nullptr) g_segments[place] = TRY(make<Segment>());
    Segment& segment = *g_segments[place];
    if (segment.file != nullptr) continue;
    auto* file = TRY(make<SegmentFile>(segment, permissions));
    file->opened();
    if (auto sized = file->resize(size); sized.is_error()) {
      file->closed();
      return sized.error();
    }
    const uint32_t sequence = segment.sequence;
    segment = {};
    segment.file = file;
    segment.key = key;
    segment.sequence = sequence;
    segment.size = size;
    segment.permissions = permissions;
    segment.created_by = kProcessId;
    segment.changed_s = now_s();
    return id_of(place);
  }
  return Error::NoSpace;
}

// struct shmid64_ds of x86-64 (asm-generic/shmbuf.h, asm-generic/ipcbuf.h).
struct SegmentStatus {
  int32_t key;
  uint32_t user, group, creator_user, creator_group, mode;
  uint16_t sequence, padding;
  uint32_t padding_2;
  uint64_t unused[2];
  uint64_t size;
  int64_t attached_s, detached_s, changed_s;
  int32_t created_by, last_by;
  uint64_t attachments;
  uint64_t unused_2[2];
};
static_assert(sizeof(SegmentStatus) == 112);

SegmentStatus status_of(const Segment& segment) {
  constexpr uint32_t kDestroyed = 01000;
  SegmentStatus out{};
  out.key = segment.key;
  out.mode = segment.permissions | (segment.is_removed ? kDestroyed : 0);
  out.sequence = static_cast<uint16_t>(segment.sequence % 32768);
  out.size = segment.size;
  out.attached_s = segment.attached_s;
  out.detached_s = segment.detached_s;
  out.changed_s = segment.changed_s;
  out.created_by = segment.created_by;
  out.last_by = segment.last_by;
  out.attachments = attachments(segment);
  return out;
}

struct Limits {  // struct shminfo64
  uint64_t largest, least, most_segments, most_per_process, most_pages;
  uint64_t unused[4];
};
struct Usage {  // struct shm_info
  int32_t segments, padding;
  uint64_t total_pages, resident_pages, swapped_pages, swap_attempts, swap_successes;
};

int highest_place() {
  int highest = 0;
  for (int place = 0; place < kMostSegments; ++place)
    if (g_segments[place] != nullptr && g_segments[place]->file != nullptr) highest = place;
  return highest;
}

Usage usage() {
  Usage out{};
  for (const Segment* segment : g_segments) {
    if (segment == nullptr || segment->file == nullptr) continue;
    ++out.segments;
    out.total_pages += page_up(segment->size) / kPageSize;
    out.resident_pages += segment->file->pages();
  }
  return out;
}

}  // namespace

MORTEM_CALL(shmget) {
  constexpr int kCreate = 01000, kExclusive = 02000, kHugePages = 04000;
  const auto key = static_cast<int32_t>(argument[0]);
  const uint64_t size = argument[1];
  const int flags = argument.number(2);
  const auto permissions = static_cast<uint16_t>(flags & 0777);
  if ((flags & kHugePages) != 0) return Error::NoMemory;  // there are no huge pages
  if (key != 0) {
    for (int place = 0; place < kMostSegments; ++place) {
      const Segment* segment = g_segments[place];
      if (segment == nullptr || segment->file == nullptr || segment->key != key) continue;
      if ((flags & kCreate) != 0 && (flags & kExclusive) != 0) return Error::Exists;
      if (size > segment->size) return Error::Invalid;
      return static_cast<uint64_t>(id_of(place));
    }
    if ((flags & kCreate) == 0) return Error::NoEntry;
  }
  return static_cast<uint64_t>(TRY(make_segment(key, size, permissions)));
}

MORTEM_CALL(shmat) {
  constexpr uint64_t kReadOnly = 010000, kRound = 020000, kRemap = 040000, kExecute = 0100000;
  Segment& segment = *TRY(find_segment(argument.number(0)));
  uint64_t address = argument[1];
  const uint64_t flags = argument[2];
  MapRequest request{.length = segment.size, .protection = kProtectRead, .kind = AreaKind::File, .shared = true};
  if ((flags & kReadOnly) == 0) request.protection |= kProtectWrite;
  if ((flags & kExecute) != 0) request.protection |= kProtectExecute;
  if (address != 0) {
    if (address % kPageSize != 0) {
      if ((flags & kRound) == 0) return Error::Invalid;
      address = page_down(address);
      if (address == 0 && (flags & kRemap) != 0) return Error::Invalid;
    }
    request.address = address;
    request.placement = (flags & kRemap) != 0 ? Placement::Fixed : Placement::FixedNoReplace;
  } else if ((flags & kRemap) != 0) {
    return Error::Invalid;
  }
  char path[32];
  format_text(path, sizeof path, "/SYSV%08x (deleted)", static_cast<uint32_t>(segment.key));
  request.path = kept_path(path);
  if (request.path == nullptr) return Error::NoMemory;
  request.may_write = (flags & kReadOnly) == 0;
  request.inode = segment.file;
  request.memory = segment.file->memory();
  TRY(check_new_code(argument, "shmat", 0, segment.size, request.protection));
  const InodeHold hold(segment.file);
  auto start = address_space().map(request);
  if (start.is_error()) return start.error() == Error::Exists ? Error::Invalid : start.error();
  segment.attached_s = now_s();
  segment.last_by = kProcessId;
  return start.value();
}

// Everything that is still mapped of the attachment that began at that address.
MORTEM_CALL(shmdt) {
  const uint64_t address = argument[0];
  if (address % kPageSize != 0) return Error::Invalid;
  AddressSpace& space = address_space();
  Segment* segment = nullptr;
  uint64_t end = 0;
  for (size_t index = space.areas.first_ending_after(address); index < space.areas.size(); ++index) {
    const MemoryArea area = space.areas.at(index);
    if (segment == nullptr) {
      if (area.inode == nullptr || area.start - address != area.file_offset) continue;
      segment = segment_of(area.inode);
      if (segment == nullptr) continue;
      end = address + page_up(segment->size);
    }
    if (area.start >= end) break;
    if (area.inode != segment->file || area.start - address != area.file_offset) continue;
    const InodeHold hold(segment->file);
    TRY(space.unmap(area.start, area.end));
    --index;  // the area is gone from its place
  }
  if (segment == nullptr) return Error::Invalid;
  segment->detached_s = now_s();
  segment->last_by = kProcessId;
  return 0;
}

MORTEM_CALL(shmctl) {
  constexpr int kRemove = 0, kSet = 1, kStatus = 2, kInformation = 3, kLock = 11, kUnlock = 12, kStatusOfPlace = 13,
                kUsage = 14, kStatusOfAnyPlace = 15, kVersion64 = 0x100;
  const int command = argument.number(1) & ~kVersion64;
  switch (command) {
    case kInformation: {
      constexpr uint64_t kAll = kLargestSegment;
      TRY(write_user(argument[2], Limits{kLargestSegment, 1, kMostSegments, kMostSegments, kAll, {}}));
      return static_cast<uint64_t>(highest_place());
    }
    case kUsage:
      TRY(write_user(argument[2], usage()));
      return static_cast<uint64_t>(highest_place());
    case kStatusOfPlace:
    case kStatusOfAnyPlace: {
      const int place = argument.number(0) % kMostSegments;
      if (place < 0 || g_segments[place] == nullptr || g_segments[place]->file == nullptr) return Error::Invalid;
      TRY(write_user(argument[2], status_of(*g_segments[place])));
      return static_cast<uint64_t>(id_of(place));
    }
    case kStatus:
      TRY(write_user(argument[2], status_of(*TRY(find_segment(argument.number(0))))));
      return 0;
    case kSet: {
      const auto status = TRY(read_user<SegmentStatus>(argument[2]));
      Segment& segment = *TRY(find_segment(argument.number(0)));
      segment.permissions = static_cast<uint16_t>(status.mode & 0777);
      segment.changed_s = now_s();
      return 0;
    }
    case kRemove: {
      Segment& segment = *TRY(find_segment(argument.number(0)));
      const InodeHold hold(segment.file);  // its end, if nothing is attached
      segment.is_removed = true;
      segment.key = 0;  // nobody finds it by its key any more
      return 0;
    }
    case kLock:
    case kUnlock:
      TRY(find_segment(argument.number(0)));
      return 0;  // pages are never swapped out
    default:
      return Error::Invalid;
  }
}

}  // namespace kernel::linux
