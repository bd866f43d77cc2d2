#include "snapshot/clone/clone_layout.h"

#include <algorithm>
#include <unordered_map>

namespace mortem::snapshot {
namespace {

using namespace format;

constexpr uint64_t kPageBytes = 4096, kUpperHalf = 0xFFFF'8000'0000'0000;
// As the kernel's dumps do: zeros that were never touched are content unless there are too many of them.
constexpr uint64_t kLargestZeroRun = 16 << 20, kZeroBudget = 256 << 20;
constexpr uint64_t kNoPhysical = ~uint64_t{0};

class LayOut {
 public:
  LayOut(const GuestMemory& memory, const GuestFacts& facts) : memory_(memory), facts_(facts) {}

  CloneLayout run() {
    read_owners();
    for (const GuestArea& area : facts_.areas) app_area(area);
    kernel();
    return std::move(layout_);
  }

 private:
  void read_owners() {
    const GuestDescription& block = facts_.description;
    constexpr uint64_t kMostPages = uint64_t{1} << 32;
    if (block.memory_pages == 0 || block.memory_pages > kMostPages) return;
    owners_.resize(block.memory_pages);
    if (!memory_.read(block.page_owner_table, owners_)) owners_.clear();
  }

  void entry(uint64_t start, uint64_t end, uint64_t physical, PageMapKind kind, uint32_t flags) {
    if (start < end) layout_.page_map.push_back({start, end - start, physical, kind, flags});
  }

  // A segment goes on while addresses, content and flags do.
  void segment(uint64_t start, uint64_t end, uint64_t content, uint32_t flags) {
    const uint32_t access = flags & 7;
    if (!layout_.segments.empty()) {
      CoreSegment& last = layout_.segments.back();
      if (last.address + last.memory_size == start && last.file_offset + last.file_size == content &&
          last.flags == access) {
        last.memory_size += end - start;
        last.file_size += end - start;
        return;
      }
    }
    layout_.segments.push_back({start, end - start, content, end - start, 0, access});
  }

  uint64_t add_content(uint64_t length, uint64_t source) {
    const uint64_t at = layout_.content_bytes;
    layout_.content_bytes += length;
    if (!layout_.content.empty()) {
      CloneExtent& last = layout_.content.back();
      const bool follows =
          source == kZeros ? last.source == kZeros : last.source != kZeros && last.source + last.length == source;
      if (follows) {
        last.length += length;
        return at;
      }
    }
    layout_.content.push_back({at, length, source});
    return at;
  }

  // Pages that stand at another address already are a view of that.
  void present(uint64_t start, uint64_t end, uint64_t physical, uint32_t flags) {
    for (uint64_t at = start; at < end;) {
      const uint64_t page = (physical + (at - start)) / kPageBytes, left = (end - at) / kPageBytes;
      const auto first = stored_.find(page);
      uint64_t count = 1;
      uint64_t content;
      if (first != stored_.end()) {
        content = first->second;
        while (count < left) {
          const auto next = stored_.find(page + count);
          if (next == stored_.end() || next->second != content + count * kPageBytes) break;
          ++count;
        }
        entry(at, at + count * kPageBytes, page * kPageBytes, PageMapKind::Alias, flags);
      } else {
        while (count < left && !stored_.contains(page + count)) ++count;
        const auto source = memory_.offset_of(page * kPageBytes, count * kPageBytes);
        if (!source) return entry(at, end, kNoPhysical, PageMapKind::Dropped, flags);
        content = add_content(count * kPageBytes, *source);
        for (uint64_t index = 0; index < count; ++index) stored_[page + index] = content + index * kPageBytes;
        entry(at, at + count * kPageBytes, page * kPageBytes, PageMapKind::Stored, flags);
      }
      segment(at, at + count * kPageBytes, content, flags);
      at += count * kPageBytes;
    }
  }

  void untouched(uint64_t start, uint64_t end, uint32_t flags) {
    const uint64_t length = end - start;
    if (length > kLargestZeroRun || zeros_ + length > kZeroBudget)
      return entry(start, end, kNoPhysical, PageMapKind::Untouched, flags);
    zeros_ += length;
    segment(start, end, add_content(length, kZeros), flags);
    entry(start, end, kNoPhysical, PageMapKind::Stored, flags);
  }

  void app_area(const GuestArea& area) {
    if (area.flags == 0) return entry(area.start, area.end, kNoPhysical, PageMapKind::Reserved, 0);
    const bool is_zero_filled =
        !area.in_memory && (area.kind == GuestAreaKind::Anonymous || area.kind == GuestAreaKind::Stack ||
                            area.kind == GuestAreaKind::Heap);
    for (uint64_t at = area.start; at < area.end;) {
      const GuestPageRun run = memory_.run_at(at, area.end);
      switch (run.kind) {
        case GuestPageKind::Present:
          present(run.start, run.end, run.physical, area.flags);
          break;
        case GuestPageKind::Device:
          entry(run.start, run.end, run.physical, PageMapKind::Device, area.flags);
          break;
        case GuestPageKind::Damaged:
          entry(run.start, run.end, kNoPhysical, PageMapKind::Dropped, area.flags);
          break;
        case GuestPageKind::Absent:
          if (is_zero_filled)
            untouched(run.start, run.end, area.flags);
          else  // content of a file that the program never looked at
            entry(run.start, run.end, kNoPhysical, PageMapKind::Dropped, area.flags);
          break;
      }
      at = run.end;
    }
  }

  // Everything mapped in the upper half but the direct map, which then adds what no other address shows.
  void kernel() {
    const uint64_t direct = facts_.description.direct_map_base;
    const uint64_t direct_end = direct + owners_.size() * kPageBytes;
    uint64_t at = kUpperHalf;
    bool direct_done = owners_.empty();
    while (at != 0) {
      if (!direct_done && at >= direct) {
        direct_mapped(direct);
        direct_done = true;
        at = std::max(at, direct_end);
        continue;
      }
      const uint64_t limit = !direct_done ? direct : ~uint64_t{0} - (kPageBytes - 1);
      if (at >= limit) break;
      const GuestPageRun run = memory_.run_at(at, limit);
      if (run.kind == GuestPageKind::Present) present(run.start, run.end, run.physical, run.flags);
      if (run.kind == GuestPageKind::Device) entry(run.start, run.end, run.physical, PageMapKind::Device, run.flags);
      if (run.kind == GuestPageKind::Damaged) entry(run.start, run.end, kNoPhysical, PageMapKind::Dropped, run.flags);
      at = run.end;
    }
  }

  enum class Shown : uint8_t { Nothing, Content, View };
  Shown shown(uint64_t page) const {
    switch (static_cast<PageOwner>(owners_[page])) {
      case PageOwner::Absent:
      case PageOwner::Free:
      case PageOwner::Firmware:
        return Shown::Nothing;
      default:
        return stored_.contains(page) ? Shown::View : Shown::Content;
    }
  }

  void direct_mapped(uint64_t base) {
    const uint32_t flags = kPageRead | kPageWrite;
    for (uint64_t page = 0; page < owners_.size();) {
      const Shown kind = shown(page);
      uint64_t end = page + 1;
      while (end < owners_.size() && shown(end) == kind) ++end;
      const uint64_t start = base + page * kPageBytes, stop = base + end * kPageBytes, physical = page * kPageBytes;
      if (kind == Shown::Content) present(start, stop, physical, flags);
      if (kind == Shown::View) entry(start, stop, physical, PageMapKind::Alias, flags);
      page = end;
    }
  }

  const GuestMemory& memory_;
  const GuestFacts& facts_;
  CloneLayout layout_;
  std::vector<uint8_t> owners_;                    // by page
  std::unordered_map<uint64_t, uint64_t> stored_;  // page → its place in the content
  uint64_t zeros_ = 0;
};

}  // namespace

CloneLayout lay_out_clone(const GuestMemory& memory, const GuestFacts& facts) {
  return LayOut(memory, facts).run();
}

}  // namespace mortem::snapshot
