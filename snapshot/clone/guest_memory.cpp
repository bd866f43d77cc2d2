#include "snapshot/clone/guest_memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "snapshot/format/notes.h"

namespace mortem::snapshot {

namespace {

constexpr uint64_t k4Gib = uint64_t{1} << 32;
// Intel SDM vol. 3, tables 4-14 to 4-19.
constexpr uint64_t kPresent = 1, kWrite = 2, kUser = 4, kLarge = 0x80, kNoExecute = uint64_t{1} << 63,
                   kAddress = 0x000f'ffff'ffff'f000;

uint64_t end_of_entry(uint64_t address, uint64_t size) {
  return (address & ~(size - 1)) + size;
}

}  // namespace

void GuestMemory::set_page_table(uint64_t root) {
  root_ = root & kAddress;
  for (Table& table : tables_) table.address = ~uint64_t{0};
}

std::optional<uint64_t> GuestMemory::offset_of(uint64_t physical, uint64_t length) const {
  uint64_t offset, end;
  if (physical < below_4g_) {
    offset = physical;
    end = std::min(below_4g_, bytes_.size());
  } else if (physical >= k4Gib) {
    offset = physical - k4Gib + below_4g_;
    end = bytes_.size();
  } else {
    return std::nullopt;
  }
  if (offset >= end || length > end - offset) return std::nullopt;
  return offset;
}

Result<void> GuestMemory::read_physical(uint64_t physical, std::span<uint8_t> to) const {
  const auto offset = offset_of(physical, to.size());
  if (!offset)
    return failure(ErrorKind::NotFound, fmt::format("{}: no memory at physical {:#x}", bytes_.name(), physical));
  return bytes_.read(*offset, to);
}

Result<void> GuestMemory::read(uint64_t address, std::span<uint8_t> to) const {
  while (!to.empty()) {
    const GuestPageRun run = step(address);
    const uint64_t left = run.end - address;  // an end of 0 is that of the address space
    if (run.kind != GuestPageKind::Present)
      return failure(ErrorKind::NotFound, fmt::format("{}: nothing is mapped at {:#x}", bytes_.name(), address));
    const size_t part = std::min<uint64_t>(left, to.size());
    TRY_VOID(read_physical(run.physical, to.first(part)));
    to = to.subspan(part);
    address += part;
  }
  return {};
}

Result<std::string> GuestMemory::text(uint64_t address, size_t longest) const {
  std::string text;
  while (text.size() < longest) {
    const char byte = TRY(get<char>(address + text.size()));
    if (byte == 0) return text;
    text += byte;
  }
  return failure(ErrorKind::BadInput, fmt::format("{}: no end of the text at {:#x}", bytes_.name(), address));
}

GuestPageRun GuestMemory::step(uint64_t address) const {
  uint64_t table = root_;
  bool write = true, user = true, execute = true;
  for (int level = 3;; --level) {
    const int shift = 12 + 9 * level;
    const uint64_t covered = uint64_t{1} << shift;
    Table& cached = tables_[level];
    if (cached.address != table) {
      cached.address = ~uint64_t{0};
      if (!read_physical(table, {reinterpret_cast<uint8_t*>(cached.entries), sizeof cached.entries}))
        return {address, end_of_entry(address, covered << 9), GuestPageKind::Damaged, 0, 0};
      cached.address = table;
    }
    const uint64_t entry = cached.entries[(address >> shift) & 511];
    if ((entry & kPresent) == 0) return {address, end_of_entry(address, covered), GuestPageKind::Absent, 0, 0};
    write = write && (entry & kWrite) != 0;
    user = user && (entry & kUser) != 0;
    execute = execute && (entry & kNoExecute) == 0;
    if (level != 0 && !(level <= 2 && (entry & kLarge) != 0)) {
      table = entry & kAddress;
      continue;
    }
    const uint64_t physical = (entry & kAddress & ~(covered - 1)) + (address & (covered - 1));
    const uint64_t end = end_of_entry(address, covered);
    const uint32_t flags = format::kPageRead | (write ? format::kPageWrite : 0u) |
                           (execute ? format::kPageExecute : 0u) | (user ? format::kPageUser : 0u);
    return {address, end, offset_of(physical, end - address) ? GuestPageKind::Present : GuestPageKind::Device, physical,
            flags};
  }
}

GuestPageRun GuestMemory::run_at(uint64_t address, uint64_t end) const {
  GuestPageRun run = step(address);
  while (run.end != 0 && run.end < end) {
    const GuestPageRun next = step(run.end);
    const bool mapped = run.kind == GuestPageKind::Present || run.kind == GuestPageKind::Device;
    if (next.kind != run.kind || next.flags != run.flags) break;
    if (mapped && next.physical != run.physical + (run.end - run.start)) break;
    run.end = next.end;
  }
  if (run.end == 0 || run.end > end) run.end = end;
  return run;
}

}  // namespace mortem::snapshot
