#include "snapshot/core_memory.h"

#include <algorithm>
#include <cstring>

namespace mortem::snapshot {
namespace {

uint64_t last_of(uint64_t start, uint64_t length) {
  return start + (length - 1);
}

// Cuts sorted ranges so that none overlaps the one before it: what comes first wins. `advance` moves a range's start.
template <typename Range, typename Advance>
void remove_overlap(std::vector<Range>& ranges, Advance advance) {
  std::vector<Range> kept;
  for (Range& range : ranges) {
    if (!kept.empty() && range.first <= kept.back().last) {
      if (range.last <= kept.back().last) continue;
      advance(range, kept.back().last + 1 - range.first);
    }
    kept.push_back(range);
  }
  ranges = std::move(kept);
}

// The last range that starts at or before `address`, if it reaches it.
template <typename Range>
const Range* find_range(const std::vector<Range>& ranges, uint64_t address) {
  auto after = std::upper_bound(ranges.begin(), ranges.end(), address,
                                [](uint64_t value, const Range& range) { return value < range.first; });
  if (after == ranges.begin()) return nullptr;
  const Range& range = *std::prev(after);
  return address <= range.last ? &range : nullptr;
}

constexpr uint64_t kNoPhysicalAddress = ~uint64_t{0};

}  // namespace

CoreMemory::CoreMemory(const ByteSource& bytes, const std::vector<CoreSegment>& segments,
                       const std::vector<format::PageMapEntry>& page_map)
    : bytes_(bytes) {
  auto by_first = [](const auto& a, const auto& b) { return a.first < b.first; };
  for (const CoreSegment& segment : segments)
    if (segment.file_size > 0)
      stored_.push_back({segment.address, last_of(segment.address, segment.file_size), segment.file_offset});
  std::stable_sort(stored_.begin(), stored_.end(), by_first);
  remove_overlap(stored_, [](Stored& range, uint64_t by) { range.first += by, range.file_offset += by; });

  for (const format::PageMapEntry& entry : page_map) {
    const uint64_t last = last_of(entry.virtual_start, entry.length);
    const bool has_physical = entry.physical_start != kNoPhysicalAddress &&
                              last_of(entry.physical_start, entry.length) >= entry.physical_start;
    if (entry.kind == format::PageMapKind::Stored && has_physical)
      physical_.push_back({entry.physical_start, last_of(entry.physical_start, entry.length), entry.virtual_start});
    if (entry.kind == format::PageMapKind::Untouched) views_.push_back({entry.virtual_start, last, kNoPhysicalAddress});
    if (entry.kind == format::PageMapKind::Alias && has_physical)
      views_.push_back({entry.virtual_start, last, entry.physical_start});
  }
  std::stable_sort(physical_.begin(), physical_.end(), by_first);
  remove_overlap(physical_, [](Physical& range, uint64_t by) { range.first += by, range.virtual_start += by; });
  std::stable_sort(views_.begin(), views_.end(), by_first);
  remove_overlap(views_, [](View& range, uint64_t by) {
    range.first += by;
    if (range.physical_start != kNoPhysicalAddress) range.physical_start += by;
  });
}

CoreMemory::Piece CoreMemory::find_stored(uint64_t address) const {
  const Stored* range = find_range(stored_, address);
  if (!range) return {};
  return {Piece::File, range->last - address + 1, range->file_offset + (address - range->first)};
}

CoreMemory::Piece CoreMemory::find(uint64_t address) const {
  if (Piece piece = find_stored(address); piece.kind != Piece::Absent) return piece;
  const View* view = find_range(views_, address);
  if (!view) return {};
  const uint64_t left = view->last - address + 1;
  if (view->physical_start == kNoPhysicalAddress) {
    // Up to the next stored bytes, which are what was really there.
    auto next = std::upper_bound(stored_.begin(), stored_.end(), address,
                                 [](uint64_t value, const Stored& range) { return value < range.first; });
    return {Piece::Zero, next == stored_.end() ? left : std::min(left, next->first - address), 0};
  }
  const uint64_t physical = view->physical_start + (address - view->first);
  const Physical* page = find_range(physical_, physical);
  if (!page) return {};
  Piece piece = find_stored(page->virtual_start + (physical - page->first));
  piece.length = std::min({piece.length, left, page->last - physical + 1});
  return piece;
}

Result<size_t> CoreMemory::read(uint64_t address, std::span<uint8_t> to) const {
  size_t done = 0;
  while (done < to.size()) {
    const Piece piece = find(address + done);
    if (piece.kind == Piece::Absent) break;
    const size_t length = std::min<uint64_t>(piece.length, to.size() - done);
    if (piece.kind == Piece::Zero) {
      std::memset(to.data() + done, 0, length);
    } else if (auto read = bytes_.read(piece.file_offset, to.subspan(done, length)); !read) {
      // What came before the damaged place is good; the next read starts at it and reports it.
      if (done > 0) break;
      return tl::unexpected(read.error());
    }
    done += length;
    if (address + done < address) break;  // the end of the address space
  }
  return done;
}

}  // namespace mortem::snapshot
