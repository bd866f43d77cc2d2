#include "inspector/analysis/address_ranges.h"

#include <algorithm>
#include <optional>

namespace mortem::inspector {
namespace {

constexpr uint64_t kKernelStart = uint64_t{1} << 63;
constexpr uint32_t kMayRead = 4, kMayWrite = 2, kMayExecute = 1;  // PF_*, and format::PageMapFlags

class RangeList {
 public:
  explicit RangeList(const Target& target) : target_(target) {
    for (const TargetThread& thread : target.threads())
      if (const auto registers = target.registers(thread.id)) stacks_.push_back({registers->rsp, thread.id});
    std::sort(stacks_.begin(), stacks_.end());
  }

  std::vector<AddressRange> make() {
    for (const TargetRegion& region : target_.regions()) {
      AddressRange range{region.start, region.end, region.flags};
      range.path = region.path;
      range.file_offset = region.file_offset;
      if (region.is_another_view) range.content = RangeContent::OtherView;
      ranges_.push_back(std::move(range));
    }
    // What is mapped and held nowhere.
    for (const format::PageMapEntry& entry : target_.core().page_map()) add_entry(entry);
    for (const snapshot::CoreSegment& segment : target_.core().segments())
      if (segment.memory_size > segment.file_size)
        add_beside(segment.address + segment.file_size, segment.address + segment.memory_size, segment.flags,
                   segment.flags == 0 ? RangeContent::None : RangeContent::NotHeld, std::nullopt);
    std::sort(ranges_.begin(), ranges_.end(), by_start);
    for (AddressRange& range : ranges_) name(range);
    return std::move(ranges_);
  }

 private:
  static bool by_start(const AddressRange& a, const AddressRange& b) { return a.start < b.start; }

  void add_entry(const format::PageMapEntry& entry) {
    const uint64_t end = entry.virtual_start + entry.length;
    if (end <= entry.virtual_start) return;
    using enum format::PageMapKind;
    if (entry.kind == Reserved) add_beside(entry.virtual_start, end, 0, RangeContent::None, RangeKind::Reserved);
    if (entry.kind == Dropped)
      add_beside(entry.virtual_start, end, entry.flags & 7, RangeContent::NotHeld, std::nullopt);
    if (entry.kind == Device)
      add_beside(entry.virtual_start, end, entry.flags & 7, RangeContent::NotHeld, RangeKind::Device);
    if (entry.kind != Untouched) return;
    for (AddressRange& range : ranges_)
      if (range.start >= entry.virtual_start && range.end <= end) range.content = RangeContent::Zero;
  }

  // As far as nothing stands there yet.
  void add_beside(uint64_t start, uint64_t end, uint32_t flags, RangeContent content, std::optional<RangeKind> kind) {
    std::sort(ranges_.begin(), ranges_.end(), by_start);
    std::vector<AddressRange> pieces;
    for (const AddressRange& one : ranges_) {
      if (one.end <= start) continue;
      if (one.start >= end) break;
      if (one.start > start) pieces.push_back({start, one.start, flags});
      start = std::max(start, one.end);
    }
    if (start < end) pieces.push_back({start, end, flags});
    for (AddressRange& piece : pieces) {
      piece.content = content;
      if (kind) {
        piece.kind = *kind;
        fixed_.push_back(piece.start);
      }
      ranges_.push_back(std::move(piece));
    }
  }

  void name(AddressRange& range) const {
    if (range.path.empty()) find_path(range);
    for (const auto& [pointer, thread] : stacks_)
      if (pointer >= range.start && pointer < range.end) range.thread = thread;
    if (std::find(fixed_.begin(), fixed_.end(), range.start) == fixed_.end()) range.kind = kind_of(range);
    if (range.kind != RangeKind::Stack) range.thread = 0;
  }

  void find_path(AddressRange& range) const {
    for (const auto& mapping : target_.core().file_mappings()) {
      if (range.start < mapping.start || range.start >= mapping.end) continue;
      range.path = mapping.path;
      range.file_offset = mapping.file_offset + (range.start - mapping.start);
      return;
    }
  }

  RangeKind kind_of(const AddressRange& range) const {
    if (range.start >= kKernelStart) return RangeKind::Kernel;
    if ((range.flags & (kMayRead | kMayWrite | kMayExecute)) == 0) return RangeKind::Reserved;
    const bool is_module = std::any_of(target_.modules().begin(), target_.modules().end(), [&](const auto& module) {
      return range.start >= module.start && range.start < module.end;
    });
    if ((range.flags & kMayExecute) != 0) return RangeKind::Code;
    if (is_module) return (range.flags & kMayWrite) != 0 ? RangeKind::Data : RangeKind::ReadOnlyData;
    if (!range.path.empty()) return RangeKind::File;
    if (range.thread != 0) return RangeKind::Stack;
    return is_heap(range) ? RangeKind::Heap : RangeKind::Anonymous;
  }

  // The program break's memory begins behind the program (brk(2)), a little later when it is at a random place.
  bool is_heap(const AddressRange& range) const {
    constexpr uint64_t kFarthest = uint64_t{1} << 30;  // Linux: at most 32 MiB, for static PIE programs 1 GiB
    for (const CoreModule& module : target_.modules())
      if (module.kind == format::ModuleKind::Program && range.start >= module.end &&
          range.start - module.end <= kFarthest)
        return true;
    return false;
  }

  const Target& target_;
  std::vector<AddressRange> ranges_;
  std::vector<uint64_t> fixed_;                        // starts of ranges whose kind is known already
  std::vector<std::pair<uint64_t, uint32_t>> stacks_;  // stack pointer, thread
};

}  // namespace

const char* range_kind_name(RangeKind kind) {
  constexpr const char* kNames[] = {"code", "read-only data", "data",   "heap",   "stack",
                                    "file", "anonymous",      "kernel", "device", "reserved"};
  return kNames[static_cast<size_t>(kind)];
}

const char* range_content_name(RangeContent content) {
  constexpr const char* kNames[] = {"held", "another view", "zeros, never touched", "not held", "no access"};
  return kNames[static_cast<size_t>(content)];
}

std::vector<AddressRange> address_ranges(const Target& target) {
  return RangeList(target).make();
}

const AddressRange* range_at(const std::vector<AddressRange>& ranges, uint64_t address) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), address,
                                      [](uint64_t value, const AddressRange& one) { return value < one.start; });
  if (after == ranges.begin() || address >= std::prev(after)->end) return nullptr;
  return &*std::prev(after);
}

}  // namespace mortem::inspector
