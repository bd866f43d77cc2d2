// The dump slots of a disk image (snapshot/format/slot.h): what is in them, getting it out, making room again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "snapshot/core_file.h"
#include "snapshot/disk_image.h"
#include "snapshot/format/slot.h"
#include "snapshot/output_file.h"
#include "snapshot/progress.h"

namespace mortem::snapshot {

enum class SlotCondition {
  Empty,
  CutShort,  // the guest ended while it wrote: what is there is a part, its length is not known
  Partial,   // whole, but holds less than everything (DumpLevel says what)
  Complete,
  Damaged,  // its header cannot be believed
};
const char* slot_condition_text(SlotCondition condition);

struct Slot {
  uint32_t index = 0;
  SlotCondition condition = SlotCondition::Empty;
  std::string problem;                          // of a damaged one: what is wrong with it
  format::SlotHeader header{};                  // not to be used of a damaged one
  format::CrashKind kind{};                     // signature 0: not known
  std::string text;                             // the text record: the report of last resort
  uint64_t offset = 0;                          // of the slot in the image
  uint64_t dump_offset = 0, dump_capacity = 0;  // of its dump in the image

  bool has_dump() const {
    return (condition == SlotCondition::Complete || condition == SlotCondition::Partial) && header.stored_length > 0;
  }
  bool is_text_only() const { return condition == SlotCondition::Partial && header.stored_length == 0; }
  // A guest does not write here before it is released: a dump, what is left of one, or a text record alone.
  bool is_occupied() const { return condition != SlotCondition::Empty && condition != SlotCondition::Damaged; }
};

struct DumpSlots {
  format::PartitionHeader header{};
  std::vector<Slot> slots;  // by index

  // Crashes of this slot's kind on this disk, 0: not known; more than its dumps, because those are thinned.
  uint64_t crashes_of_kind(const Slot& slot) const;
  // Why a crash of any kind finds a place: a slot is empty, or holds no kind's first or only dump.
  bool has_room() const;
  const Slot* newest() const;  // the one with a dump and the highest sequence number, null: none
};
Result<DumpSlots> read_dump_slots(const DiskImage& image);

enum class Trust {
  WholeOnly,  // nothing but a dump that is whole and has its checksum
  Force,      // also what is left of one that was cut short, or fails its checksum
};

// Writes the slot's dump to `path`: exactly its stored bytes, mode 0600, on stable storage when this returns. With
// Force, of a dump that was cut short: its whole frames, as a core that claims no more (cut_dump.h). Returns the bytes
// written.
Result<uint64_t> extract_slot(const DiskImage& image, const Slot& slot, const std::filesystem::path& path,
                              Trust trust = Trust::WholeOnly, Existing existing = Existing::Keep,
                              const Progress& progress = {});

// Opens the dump where it is.
Result<std::unique_ptr<CoreFile>> open_slot_dump(const DiskImage& image, const Slot& slot);

// Sets a slot back to empty, on stable storage when this returns. Refused if the slot does not hold the dump `slot`
// tells of any more (a guest that runs may have written a newer one).
Result<void> release_slot(const std::filesystem::path& image_path, const Slot& slot);

// Makes an empty dump partition in a file (the image builder does): `length` bytes from `offset` on.
Result<format::PartitionHeader> write_dump_partition(const std::filesystem::path& path, uint64_t offset,
                                                     uint64_t length, uint32_t slot_count);

}  // namespace mortem::snapshot
