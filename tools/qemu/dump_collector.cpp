#include "tools/qemu/dump_collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

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

// The guest has written another dump into the slot by now, or is about to.
bool is_replaced(const fs::path& image, const Slot& slot) {
  auto now = slots_of(image);
  return now && slot.index < now->slots.size() &&
         (now->slots[slot.index].header.sequence != slot.header.sequence ||
          now->slots[slot.index].condition != slot.condition);
}

std::pair<std::string, std::string> stem_and_ending(const fs::path& wanted) {
  const std::string name = wanted.filename().string();
  for (const std::string ending : {".core.zst", ".zst"})
    if (name.ends_with(ending)) return {name.substr(0, name.size() - ending.size()), ending};
  return {name, ""};
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
  const auto [stem, ending] = stem_and_ending(wanted);
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

// Up to a size at which nobody reads it any more.
void DumpCollector::append_to_records(const std::string& text) const {
  constexpr uint64_t kLargest = 1 << 20;
  fs::path path = wanted_;
  path.replace_filename(stem_and_ending(wanted_).first + ".crashes.txt");
  std::error_code ignored;
  const uint64_t size = fs::exists(path, ignored) ? fs::file_size(path, ignored) : 0;
  if (size > kLargest) return;
  std::ofstream file(path, std::ios::app);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, ignored);
  file << text;
}

// A text record a paragraph.
void DumpCollector::write_record(const CollectedDump& dump, const std::string& record) const {
  std::string text = fmt::format("=== before crash {} of kind {:016x} ({}):\n", dump.occurrence,
                                 dump.slot.kind.signature, dump.reason);
  std::stringstream lines(record);
  for (std::string line; std::getline(lines, line);) text += printable(line) + '\n';
  append_to_records(text);
}

void DumpCollector::keep_line(uint64_t occurrence, const std::string& reason) const {
  append_to_records(fmt::format("=== crash {} of its kind, whose dump was replaced: {}\n", occurrence, reason));
}

// To a file: a new one, or the one that this run's newest dump of the same kind is in.
Result<void> DumpCollector::bring_out(const snapshot::DiskImage& disk, CollectedDump& dump) {
  const uint64_t signature = dump.slot.kind.signature;
  const auto kept = signature != 0 ? kept_.find(signature) : kept_.end();
  const bool replaces = kept != kept_.end() && !kept->second.last.empty();
  dump.path = replaces ? kept->second.last : free_dump_name(wanted_);
  TRY(snapshot::extract_slot(disk, dump.slot, dump.path, snapshot::Trust::WholeOnly,
                             replaces ? snapshot::Existing::Replace : snapshot::Existing::Keep));
  if (kept == kept_.end()) {
    if (signature != 0) kept_[signature].first = dump.path;
    return {};
  }
  dump.first = kept->second.first;
  if (replaces) write_record(dump, kept->second.last_record);
  kept->second.last = dump.path;
  kept->second.last_record = dump.slot.text;
  return {};
}

Result<std::vector<CollectedDump>> DumpCollector::collect() {
  std::vector<CollectedDump> collected;
  // A guest that crashes again and again may write over a slot that is being read: then its newer dump is looked for.
  constexpr int kRounds = 5;
  for (int round = 1; round <= kRounds; ++round) {
    auto disk = TRY(snapshot::DiskImage::open(image_));
    auto read = snapshot::read_dump_slots(disk);
    if (!read && read.error().kind == ErrorKind::NotFound) return collected;
    auto slots = TRY(std::move(read)).slots;
    std::sort(slots.begin(), slots.end(),
              [](const Slot& a, const Slot& b) { return a.header.sequence < b.header.sequence; });
    bool changed = false;
    for (const Slot& slot : slots) {
      if (!slot.has_dump() || known_.contains({slot.index, slot.header.sequence})) continue;
      CollectedDump dump;
      dump.slot = slot;
      dump.occurrence = slot.kind.number;
      read_reason(disk, dump);
      if (!keep_in_slot_) {
        if (auto out = bring_out(disk, dump); !out) {
          if (round == kRounds || !is_replaced(image_, slot)) return tl::unexpected(out.error());
          changed = true;
          continue;
        }
        auto released = snapshot::release_slot(image_, slot);
        dump.released = released.has_value();
        if (!released && !is_replaced(image_, slot)) note(released.error().message);
        changed |= !released;
      }
      known_.emplace(slot.index, slot.header.sequence);
      collected.push_back(std::move(dump));
    }
    if (!changed) break;
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
  if (slots->has_room()) return {};
  return fmt::format("all {} slots are full, make room with mortem pull {} --release", slots->slots.size(),
                     shell_quoted(image.string()));
}

}  // namespace mortem::tools
