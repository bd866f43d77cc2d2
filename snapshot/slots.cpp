#include "snapshot/slots.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "snapshot/little_endian.h"

namespace mortem::snapshot {
namespace {

constexpr uint32_t kMaximumSlots = 1024;
// Header, text record, and something of a dump.
constexpr uint64_t kMinimumSlotSize = 3 * format::kBlockSize;

Result<void> check_partition(const format::PartitionHeader& header, uint64_t length, const std::string& name) {
  auto wrong = [&](const std::string& what) {
    return failure(ErrorKind::BadInput, fmt::format("{}: dump partition: {}", name, what));
  };
  if (std::memcmp(header.magic, format::kPartitionMagic, sizeof(header.magic)) != 0)
    return wrong("its header is missing; the image is damaged or was cut");
  if (header.checksum != format::header_checksum(header)) return wrong("its header fails its checksum");
  if (header.version != format::kSlotVersion)
    return wrong(fmt::format("version {}, this mortem knows {}", header.version, format::kSlotVersion));
  if (header.slot_count == 0 || header.slot_count > kMaximumSlots || header.slot_size < kMinimumSlotSize ||
      header.slot_size % format::kBlockSize != 0 || length < format::kBlockSize ||
      header.slot_size > (length - format::kBlockSize) / header.slot_count)
    return wrong(
        fmt::format("{} slots of {} bytes do not fit into {} bytes", header.slot_count, header.slot_size, length));
  return {};
}

// Fills in condition, problem and text from the slot's first two blocks.
Result<void> read_slot(const ByteSource& image, Slot& slot) {
  std::array<uint8_t, format::kBlockSize> block{};
  TRY_VOID(image.read(slot.offset, block));
  std::memcpy(&slot.header, block.data(), sizeof slot.header);
  if (!format::read_crash_kind(block.data(), slot.kind)) slot.kind = {};
  const format::SlotHeader& header = slot.header;
  auto damaged = [&](std::string what) -> Result<void> {
    slot.condition = SlotCondition::Damaged;
    slot.problem = std::move(what);
    return {};
  };
  if (std::memcmp(header.magic, format::kSlotMagic, sizeof(header.magic)) != 0) return damaged("its header is missing");
  if (header.checksum != format::header_checksum(header)) return damaged("its header fails its checksum");
  if (header.version != format::kSlotVersion)
    return damaged(fmt::format("version {}, this mortem knows {}", header.version, format::kSlotVersion));
  if (format::is_released(block.data(), header)) {
    slot.condition = SlotCondition::Empty;
    return {};
  }
  switch (header.state) {
    case format::SlotState::Empty:
      slot.condition = SlotCondition::Empty;
      return {};
    case format::SlotState::Writing:
      slot.condition = SlotCondition::CutShort;
      break;
    case format::SlotState::Partial:
      slot.condition = SlotCondition::Partial;
      break;
    case format::SlotState::Complete:
      slot.condition = SlotCondition::Complete;
      break;
    default:
      return damaged(fmt::format("state {} is not known", static_cast<uint32_t>(header.state)));
  }
  if (slot.condition != SlotCondition::CutShort && header.stored_length > slot.dump_capacity)
    return damaged(fmt::format("a dump of {} bytes in a slot for {}", header.stored_length, slot.dump_capacity));
  if (header.text_length > format::kBlockSize)
    return damaged(fmt::format("a text record of {} bytes", header.text_length));
  slot.text.resize(header.text_length);
  return image.read(slot.offset + format::kBlockSize, {reinterpret_cast<uint8_t*>(slot.text.data()), slot.text.size()});
}

}  // namespace

const char* slot_condition_text(SlotCondition condition) {
  switch (condition) {
    case SlotCondition::Empty:
      return "empty";
    case SlotCondition::CutShort:
      return "cut short";
    case SlotCondition::Partial:
      return "partial";
    case SlotCondition::Complete:
      return "complete";
    case SlotCondition::Damaged:
      return "damaged";
  }
  return "unknown";
}

uint64_t DumpSlots::crashes_of_kind(const Slot& slot) const {
  uint64_t count = 0;
  for (const Slot& one : slots)
    if (slot.kind.signature != 0 && one.kind.signature == slot.kind.signature) count = std::max(count, one.kind.count);
  return count;
}

bool DumpSlots::has_room() const {
  return std::any_of(slots.begin(), slots.end(), [&](const Slot& slot) {
    return !slot.is_occupied() || std::any_of(slots.begin(), slots.end(), [&](const Slot& other) {
      return slot.has_dump() && other.has_dump() && slot.kind.signature != 0 &&
             other.kind.signature == slot.kind.signature && other.header.sequence < slot.header.sequence;
    });
  });
}

const Slot* DumpSlots::newest() const {
  const Slot* newest = nullptr;
  for (const Slot& slot : slots)
    if (slot.has_dump() && (!newest || slot.header.sequence > newest->header.sequence)) newest = &slot;
  return newest;
}

Result<DumpSlots> read_dump_slots(const DiskImage& image) {
  const Partition partition = TRY(image.dump_partition());
  DumpSlots result;
  if (partition.length < format::kBlockSize)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: a dump partition of {} bytes", image.name(), partition.length));
  TRY_VOID(image.bytes()->read(partition.offset, writable_bytes_of(result.header)));
  TRY_VOID(check_partition(result.header, partition.length, image.name()));
  for (uint32_t index = 0; index < result.header.slot_count; ++index) {
    Slot slot;
    slot.index = index;
    slot.offset = partition.offset + format::kBlockSize + index * result.header.slot_size;
    slot.dump_offset = slot.offset + 2 * format::kBlockSize;
    slot.dump_capacity = result.header.slot_size - 2 * format::kBlockSize;
    TRY_VOID(read_slot(*image.bytes(), slot));
    result.slots.push_back(std::move(slot));
  }
  return result;
}

Result<std::unique_ptr<CoreFile>> open_slot_dump(const DiskImage& image, const Slot& slot) {
  if (!slot.has_dump())
    return failure(ErrorKind::NotFound, fmt::format("{}: slot {} holds no dump that is whole ({})", image.name(),
                                                    slot.index, slot_condition_text(slot.condition)));
  auto bytes = TRY(open_subrange(image.bytes(), slot.dump_offset, slot.header.stored_length,
                                 fmt::format("{} slot {}", image.name(), slot.index)));
  return CoreFile::from(TRY(open_bytes(std::move(bytes))));
}

}  // namespace mortem::snapshot
