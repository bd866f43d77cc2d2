#include "tools/qemu/dump_collector.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/output.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using snapshot::Slot;
using snapshot::SlotCondition;

namespace {

Result<snapshot::DumpSlots> slots_of(const fs::path& image) {
  auto disk = TRY(snapshot::DiskImage::open(image));
  return snapshot::read_dump_slots(disk);
}

void read_reason(const snapshot::DiskImage& disk, CollectedDump& dump) {
  auto core = snapshot::open_slot_dump(disk, dump.slot);
  if (!core) return;
  if (auto reason = (*core)->reason()) {
    dump.signal = reason->signal;
    dump.exit_status = reason->exit_status;
    dump.reason = printable(std::string(reason->message, strnlen(reason->message, sizeof reason->message)));
  }
}

}  // namespace

std::optional<Slot> find_unpulled_dump(const fs::path& image) {
  std::error_code ignored;
  if (!fs::is_regular_file(image, ignored)) return std::nullopt;
  const auto slots = slots_of(image);
  if (!slots) return std::nullopt;
  for (const Slot& slot : slots->slots)
    if (slot.is_occupied()) return slot;
  return std::nullopt;
}

fs::path free_dump_name(const fs::path& wanted) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(wanted, ignored))) return wanted;
  std::string stem = wanted.filename().string(), ending;
  for (const char* known : {".core.zst", ".zst"})
    if (stem.ends_with(known)) {
      ending = known;
      stem.resize(stem.size() - ending.size());
      break;
    }
  for (unsigned number = 1;; ++number) {
    fs::path candidate = wanted.parent_path() / fmt::format("{}.{}{}", stem, number, ending);
    if (!fs::exists(fs::symlink_status(candidate, ignored))) return candidate;
  }
}

Result<DumpCollector> DumpCollector::begin(const fs::path& image, const fs::path& wanted, bool keep_in_slot) {
  DumpCollector collector(image, wanted, keep_in_slot);
  auto slots = slots_of(image);
  // An image without a dump partition runs too; its crashes leave no dump, and why_none() says so.
  if (!slots && slots.error().kind == ErrorKind::NotFound) return collector;
  for (const Slot& slot : TRY(std::move(slots)).slots) {
    if (slot.has_dump()) collector.known_.emplace(slot.index, slot.header.sequence);
    if (slot.condition == SlotCondition::CutShort) collector.cut_short_before_.insert(slot.index);
  }
  return collector;
}

Result<std::vector<CollectedDump>> DumpCollector::collect() {
  auto disk = TRY(snapshot::DiskImage::open(image_));
  auto read = snapshot::read_dump_slots(disk);
  if (!read && read.error().kind == ErrorKind::NotFound) return std::vector<CollectedDump>();
  auto slots = TRY(std::move(read)).slots;
  std::sort(slots.begin(), slots.end(),
            [](const Slot& a, const Slot& b) { return a.header.sequence < b.header.sequence; });
  std::vector<CollectedDump> collected;
  for (const Slot& slot : slots) {
    if (!slot.has_dump() || known_.contains({slot.index, slot.header.sequence})) continue;
    CollectedDump dump;
    dump.slot = slot;
    read_reason(disk, dump);
    if (!keep_in_slot_) {
      dump.path = free_dump_name(wanted_);
      TRY(snapshot::extract_slot(disk, slot, dump.path));
      auto released = snapshot::release_slot(image_, slot);
      dump.released = released.has_value();
      if (!released) note(released.error().message);
    }
    known_.emplace(slot.index, slot.header.sequence);
    collected.push_back(std::move(dump));
  }
  return collected;
}

std::string DumpCollector::why_none() const {
  auto slots = slots_of(image_);
  if (!slots) return slots.error().message;
  for (const Slot& slot : slots->slots) {
    if (slot.condition == SlotCondition::CutShort && !cut_short_before_.contains(slot.index))
      return fmt::format("the dump in slot {} was cut short", slot.index);
    if (slot.condition == SlotCondition::Damaged) return fmt::format("slot {}: {}", slot.index, slot.problem);
  }
  return no_room_for_dump(image_);
}

std::string no_room_for_dump(const std::filesystem::path& image) {
  auto slots = slots_of(image);
  if (!slots) return slots.error().message;
  if (!std::all_of(slots->slots.begin(), slots->slots.end(), [](const Slot& slot) { return slot.is_occupied(); }))
    return {};
  return fmt::format("all {} slots are full, make room with mortem pull {} --release", slots->slots.size(),
                     shell_quoted(image.string()));
}

}  // namespace mortem::tools
