#include "gdbstub/program_image.h"

#include <cstddef>

namespace mortem::gdbstub {

namespace {

constexpr uint64_t kMostEntries = 4096;  // of anything that is counted in the target's memory

struct AuxiliaryEntry {
  uint64_t type, value;
};
constexpr uint64_t kProgramHeaders = 3, kProgramHeaderCount = 5;  // AT_PHDR, AT_PHNUM

bool auxiliary_value(Target& target, uint64_t type, uint64_t& value) {
  AuxiliaryEntry entry;
  for (uint64_t index = 0; index < kMostEntries; ++index) {
    const std::span<uint8_t> bytes(reinterpret_cast<uint8_t*>(&entry), sizeof entry);
    if (target.read_auxiliary_vector(index * sizeof entry, bytes) != static_cast<int64_t>(sizeof entry)) return false;
    if (entry.type == 0) return false;
    if (entry.type != type) continue;
    value = entry.value;
    return true;
  }
  return false;
}

}  // namespace

bool find_segment(Target& target, uint32_t type, ProgramHeader& header) {
  uint64_t table, count;
  if (!auxiliary_value(target, kProgramHeaders, table) || !auxiliary_value(target, kProgramHeaderCount, count))
    return false;
  uint64_t load_address = 0;  // of a position-independent program: its PT_PHDR says where the table wanted to be
  bool found = false;
  for (uint64_t index = 0; index < count && index < kMostEntries; ++index) {
    ProgramHeader candidate;
    if (!read_object(target, table + index * sizeof candidate, candidate)) return false;
    if (candidate.type == kProgramHeaderSegment) load_address = table - candidate.address;
    if (candidate.type != type || found) continue;
    header = candidate;
    found = true;
  }
  header.address += load_address;
  return found;
}

uint64_t link_map_list_pointer(Target& target) {
  struct DynamicEntry {
    uint64_t tag, value;
  };
  constexpr uint64_t kDebug = 21;  // DT_DEBUG
  ProgramHeader dynamic{};
  if (!find_segment(target, kDynamicSegment, dynamic)) return 0;
  for (uint64_t index = 0; index < dynamic.memory_size / sizeof(DynamicEntry) && index < kMostEntries; ++index) {
    DynamicEntry entry;
    const uint64_t address = dynamic.address + index * sizeof entry;
    if (!read_object(target, address, entry) || entry.tag == 0) return 0;
    if (entry.tag == kDebug) return address + offsetof(DynamicEntry, value);
  }
  return 0;
}

uint64_t first_link_map_list(Target& target) {
  const uint64_t pointer = link_map_list_pointer(target);
  uint64_t list = 0;
  return pointer != 0 && read_object(target, pointer, list) ? list : 0;
}

bool read_link_map_list(Target& target, uint64_t address, LinkMapList& list) {
  list = {};
  const std::span<uint8_t> first(reinterpret_cast<uint8_t*>(&list), offsetof(LinkMapList, next));
  if (target.read_memory(address, first) != first.size()) return false;
  return list.version < 2 || read_object(target, address, list);
}

}  // namespace mortem::gdbstub
