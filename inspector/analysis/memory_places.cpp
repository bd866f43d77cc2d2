#include "inspector/analysis/memory_places.h"

#include <fmt/format.h>

namespace mortem::inspector {
namespace {

constexpr uint32_t kRead = 4, kWrite = 2, kExecute = 1;  // PF_* and format::PageMapFlags have the same bits

std::string owner_text(const MemoryPlace& place) {
  return place.path.empty() ? "anonymous memory" : "memory of " + place.path;
}

std::string protection_text(const MemoryPlace& place) {
  if ((place.flags & (kRead | kWrite | kExecute)) == 0) return "memory reserved without access";
  return fmt::format("{}, mapped {}{}{}", owner_text(place), (place.flags & kRead) != 0 ? "r" : "-",
                     (place.flags & kWrite) != 0 ? "w" : "-", (place.flags & kExecute) != 0 ? "x" : "-");
}

}  // namespace

std::string mapped_path(const snapshot::CoreFile& core, uint64_t address) {
  for (const auto& mapping : core.file_mappings())
    if (address >= mapping.start && address < mapping.end) return mapping.path;
  for (const auto& module : core.modules())
    if (address >= module.start && address < module.end) return module.path;
  return {};
}

MemoryPlace memory_place(const snapshot::CoreFile& core, uint64_t address) {
  MemoryPlace place;
  for (const format::PageMapEntry& entry : core.page_map()) {
    if (address < entry.virtual_start || address - entry.virtual_start >= entry.length) continue;
    place.mapped = true;
    place.kernel = (entry.flags & format::kPageUser) == 0 && entry.kind != format::PageMapKind::Reserved;
    place.start = entry.virtual_start;
    place.end = entry.virtual_start + entry.length;
    place.flags = entry.kind == format::PageMapKind::Reserved ? 0 : entry.flags;
  }
  for (const snapshot::CoreSegment& segment : core.segments()) {
    if (place.mapped || address < segment.address || address - segment.address >= segment.memory_size) continue;
    place.mapped = true;
    place.start = segment.address;
    place.end = segment.address + segment.memory_size;
    place.flags = segment.flags;
  }
  if (place.mapped) place.path = mapped_path(core, address);
  return place;
}

std::string memory_place_text(const snapshot::CoreFile& core, uint64_t address, std::optional<uint64_t> pointer) {
  const MemoryPlace place = memory_place(core, address);
  const MemoryPlace from = pointer ? memory_place(core, *pointer) : MemoryPlace{};
  const bool ran_off = from.mapped && from.flags != 0 && address >= from.end;
  std::string text = !place.mapped ? "not mapped" : place.kernel ? "the kernel's memory" : protection_text(place);
  if (ran_off)
    text += fmt::format(
        ", {} the end of {}", address == from.end ? "right behind" : fmt::format("{} bytes past", address - from.end),
        from.path.empty() ? fmt::format("the mapping of {} KiB that the pointer is in", (from.end - from.start) / 1024)
                          : from.path);
  return text;
}

}  // namespace mortem::inspector
