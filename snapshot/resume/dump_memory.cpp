#include "snapshot/resume/dump_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace mortem::snapshot {

namespace {

constexpr uint64_t kPageOfDump = 4096, kNoPhysicalPage = ~uint64_t{0};

bool is_stored_page(const format::PageMapEntry& entry) {
  return entry.kind == format::PageMapKind::Stored && entry.physical_start != kNoPhysicalPage && entry.length != 0 &&
         entry.physical_start % kPageOfDump == 0 && entry.length % kPageOfDump == 0 &&
         entry.physical_start + entry.length > entry.physical_start;
}

}  // namespace

DumpMemory::DumpMemory(const CoreFile& core) : core_(core) {
  for (const format::PageMapEntry& entry : core.page_map())
    if (is_stored_page(entry)) ranges_.push_back({entry.physical_start, entry.length, entry.virtual_start});
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.physical < b.physical; });
}

bool DumpMemory::holds(uint64_t physical) const {
  auto next = std::upper_bound(ranges_.begin(), ranges_.end(), physical,
                               [](uint64_t value, const Range& range) { return value < range.physical; });
  return next != ranges_.begin() && physical - std::prev(next)->physical < std::prev(next)->length;
}

Result<void> DumpMemory::read_physical(uint64_t physical, std::span<uint8_t> to) const {
  while (!to.empty()) {
    auto next = std::upper_bound(ranges_.begin(), ranges_.end(), physical,
                                 [](uint64_t value, const Range& range) { return value < range.physical; });
    if (next == ranges_.begin() || physical - std::prev(next)->physical >= std::prev(next)->length)
      return failure(ErrorKind::Unavailable,
                     fmt::format("{}: holds nothing of physical address {:#x}", core_.name(), physical));
    const Range& range = *std::prev(next);
    const uint64_t inside = physical - range.physical;
    const size_t part = std::min<uint64_t>(to.size(), range.length - inside);
    TRY_VOID(read(range.address + inside, to.first(part)));
    to = to.subspan(part);
    physical += part;
  }
  return {};
}

Result<void> DumpMemory::read(uint64_t address, std::span<uint8_t> to) const {
  while (!to.empty()) {
    const size_t got = TRY(core_.read_memory(address, to));
    if (got == 0)
      return failure(ErrorKind::Unavailable, fmt::format("{}: holds nothing at address {:#x}", core_.name(), address));
    to = to.subspan(got);
    address += got;
  }
  return {};
}

Result<format::GuestDescription> DumpMemory::description() const {
  format::GuestDescription block{};
  TRY_VOID(read_physical(format::kGuestDescriptionAddress, {reinterpret_cast<uint8_t*>(&block), sizeof block}));
  if (std::memcmp(block.magic, format::kGuestDescriptionMagic, sizeof block.magic) != 0 ||
      block.version != format::kGuestDescriptionVersion || block.size < format::kGuestDescriptionFirstSize)
    return failure(ErrorKind::BadInput, fmt::format("{}: its guest's description of itself is damaged", core_.name()));
  // What the block does not have is not what happens to stand behind it.
  if (block.size < sizeof block)
    std::memset(reinterpret_cast<uint8_t*>(&block) + block.size, 0, sizeof block - block.size);
  return block;
}

}  // namespace mortem::snapshot
