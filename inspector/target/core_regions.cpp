#include "inspector/target/core_regions.h"

#include <algorithm>

namespace mortem::inspector {
namespace {

constexpr uint64_t kUserEnd = uint64_t{1} << 47;  // of canonical addresses below the kernel's half

class RegionList {
 public:
  RegionList(const snapshot::CoreFile& core, Scope scope) : core_(core), scope_(scope) {}

  std::vector<TargetRegion> make() {
    for (const snapshot::CoreSegment& segment : core_.segments())
      if (segment.file_size > 0) add(regions_, segment.address, segment.file_size, segment.flags);
    sort_without_overlap(regions_);
    std::vector<TargetRegion> views;
    // PF_* and PageMapFlags have the same bits for read, write and execute.
    for (const format::PageMapEntry& entry : core_.page_map())
      if (entry.kind == format::PageMapKind::Alias || entry.kind == format::PageMapKind::Untouched)
        add(views, entry.virtual_start, entry.length, entry.flags & 7, entry.kind == format::PageMapKind::Alias);
    sort_without_overlap(views);
    add_beside_stored(views);
    for (TargetRegion& region : regions_) name(region);
    return std::move(regions_);
  }

 private:
  void add(std::vector<TargetRegion>& to, uint64_t start, uint64_t length, uint32_t flags, bool is_view = false) const {
    if (start + length < start) length = 0 - start - 1;  // up to the last byte but one: an end must be a number
    if (scope_ == Scope::App) {
      if (start >= kUserEnd) return;
      length = std::min(length, kUserEnd - start);
    }
    TargetRegion region;
    region.start = start;
    region.end = start + length;
    region.flags = flags;
    region.is_another_view = is_view;
    to.push_back(std::move(region));
  }

  // What comes first wins.
  static void sort_without_overlap(std::vector<TargetRegion>& regions) {
    std::stable_sort(regions.begin(), regions.end(), by_start);
    uint64_t end = 0;
    std::vector<TargetRegion> kept;
    for (TargetRegion& region : regions) {
      region.start = std::max(region.start, end);
      if (region.start >= region.end) continue;
      end = region.end;
      kept.push_back(std::move(region));
    }
    regions = std::move(kept);
  }

  // What is stored at an address was really there: a view counts in between.
  void add_beside_stored(const std::vector<TargetRegion>& views) {
    std::vector<TargetRegion> pieces;
    auto stored = regions_.begin();
    for (TargetRegion view : views) {
      while (stored != regions_.end() && stored->end <= view.start) ++stored;
      for (auto one = stored; view.start < view.end; ++one) {
        TargetRegion piece = view;
        const bool is_last = one == regions_.end() || one->start >= view.end;
        piece.end = is_last ? view.end : std::max(view.start, one->start);
        view.start = is_last ? view.end : one->end;
        if (piece.start < piece.end) pieces.push_back(std::move(piece));
        if (is_last) break;
      }
    }
    regions_.insert(regions_.end(), pieces.begin(), pieces.end());
    std::sort(regions_.begin(), regions_.end(), by_start);
  }

  static bool by_start(const TargetRegion& a, const TargetRegion& b) { return a.start < b.start; }

  void name(TargetRegion& region) const {
    for (const snapshot::CoreFileMapping& mapping : core_.file_mappings()) {
      if (region.start < mapping.start || region.start >= mapping.end) continue;
      region.path = mapping.path;
      region.file_offset = mapping.file_offset + (region.start - mapping.start);
      return;
    }
    for (const CoreModule& module : core_.modules()) {
      if (region.start < module.start || region.start >= module.end) continue;
      region.path = module.path;
      return;
    }
  }

  const snapshot::CoreFile& core_;
  const Scope scope_;
  std::vector<TargetRegion> regions_;
};

}  // namespace

std::vector<TargetRegion> regions_of(const snapshot::CoreFile& core, Scope scope) {
  return RegionList(core, scope).make();
}

}  // namespace mortem::inspector
