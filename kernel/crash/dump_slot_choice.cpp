// Which slot a crash goes to: crashes of one kind are thinned to the first and the newest.
#include "kernel/crash/dump_slot.h"

namespace kernel {

using namespace mortem::format;

namespace {

constexpr size_t kSectorSize = 512;

bool valid(const SlotHeader& header) {
  return __builtin_memcmp(header.magic, kSlotMagic, sizeof kSlotMagic) == 0 && header.version == kSlotVersion &&
         header.checksum == header_checksum(header);
}

// A text record alone does not stand for its kind.
bool is_whole(const SlotHeader& header) {
  return (header.state == SlotState::Complete || header.state == SlotState::Partial) && header.stored_length > 0;
}

}  // namespace

// What cannot be believed reads as a header of zeros, which is an empty one, and as no kind.
bool DumpSlot::read_slot(uint32_t number, SlotHeader& header, CrashKind& kind) {
  if (!disk_.read(slot_offset(number), buffer(), kBlockSize)) return false;
  __builtin_memcpy(&header, buffer(), sizeof header);
  if (!valid(header)) header = {};
  if (is_released(buffer(), header)) header.state = SlotState::Empty;
  if (!read_crash_kind(buffer(), kind)) kind = {};
  return true;
}

bool DumpSlot::has_older_whole_one(uint32_t number, uint64_t signature, uint64_t sequence, bool& answer) {
  answer = false;
  for (uint32_t other = 0; other < partition_.slot_count; ++other) {
    SlotHeader header;
    CrashKind kind;
    if (other == number) continue;
    if (!read_slot(other, header, kind)) return false;
    if (is_whole(header) && kind.signature == signature && header.sequence < sequence) answer = true;
  }
  return true;
}

bool DumpSlot::survey(uint64_t signature, Survey& found) {
  found = {kNoSlot, kNoSlot, kNoSlot, kNoSlot, kNoSlot};
  uint64_t newest = 0, first_sequence = 0, last_sequence = 0, free_rank = 0, spare_sequence = 0;
  for (uint32_t number = 0; number < partition_.slot_count; ++number) {
    SlotHeader header;
    CrashKind kind;
    if (!read_slot(number, header, kind)) return false;
    if (header.sequence > newest) newest = header.sequence;
    const bool same = signature != 0 && kind.signature == signature;
    if (same && kind.count > kind_.count) kind_.count = kind.count;
    if (header.state == SlotState::Empty) {
      // Best a slot whose count of another kind is not lost, else the one that is empty for the longest time.
      const uint64_t rank = kind.signature == 0 || same ? 1 : 2 + header.sequence;
      if (found.free == kNoSlot || rank < free_rank) found.free = number, free_rank = rank;
    } else if (same && !is_whole(header)) {
      found.cut_short = number;
    } else if (same) {
      uint32_t later = number;
      uint64_t later_sequence = header.sequence;
      if (found.first == kNoSlot || header.sequence < first_sequence) {
        later = found.first, later_sequence = first_sequence;
        found.first = number, first_sequence = header.sequence;
      }
      if (later != kNoSlot && (found.last == kNoSlot || later_sequence < last_sequence))
        found.last = later, last_sequence = later_sequence;
    } else if (is_whole(header) && kind.signature != 0 &&
               (found.spare == kNoSlot || header.sequence < spare_sequence)) {
      bool is_last = false;
      if (!has_older_whole_one(number, kind.signature, header.sequence, is_last)) return false;
      if (is_last) found.spare = number, spare_sequence = header.sequence;
    }
  }
  header_.sequence = newest + 1;
  return true;
}

DumpSlot::Choice DumpSlot::choose(uint64_t signature, int64_t wall_clock_ns) {
  kind_ = {};
  Survey found;
  if (!survey(signature, found)) return Choice::DiskFailed;
  if (signature != 0) {
    kind_.signature = signature;
    kind_.number = ++kind_.count;
    kind_.last_wall_clock_ns = wall_clock_ns;
  }
  first_ = found.first;
  superseded_ = kNoSlot;
  if (found.free != kNoSlot) {
    number_ = found.free;
    superseded_ = found.last;
    return Choice::Found;
  }
  for (const uint32_t number : {found.last, found.cut_short, found.spare})
    if (number != kNoSlot) {
      number_ = number;
      return Choice::Found;
    }
  if (first_ == kNoSlot) return Choice::NoneFree;
  return update_first() && disk_.flush() ? Choice::Counted : Choice::DiskFailed;
}

// The first dump's slot knows how many came after it. One sector changes, so that its header is there at any moment.
bool DumpSlot::update_first() {
  if (first_ == kNoSlot) return true;
  SlotHeader header;
  CrashKind kind;
  if (!read_slot(first_, header, kind)) return false;
  if (!is_whole(header) || kind.signature != kind_.signature) return true;
  kind.count = kind_.count;
  kind.last_wall_clock_ns = kind_.last_wall_clock_ns;
  write_crash_kind(buffer(), kind);
  // No more than this sector: the host may be releasing the dump, in another one.
  return disk_.write(slot_offset(first_), buffer(), kSectorSize);
}

// The dump is whole without it: what fails here fails silently.
void DumpSlot::release_superseded() {
  SlotHeader header;
  CrashKind kind;
  if (superseded_ == kNoSlot || !read_slot(superseded_, header, kind) || !is_whole(header)) return;
  SlotHeader empty{};
  __builtin_memcpy(empty.magic, kSlotMagic, sizeof kSlotMagic);
  empty.version = kSlotVersion;
  empty.state = SlotState::Empty;
  empty.sequence = header.sequence;
  empty.checksum = header_checksum(empty);
  __builtin_memcpy(buffer(), &empty, sizeof empty);
  if (disk_.write(slot_offset(superseded_), buffer(), kBlockSize)) (void)disk_.flush();
}

}  // namespace kernel
