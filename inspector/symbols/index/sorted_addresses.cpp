#include "inspector/symbols/index/sorted_addresses.h"

namespace mortem::inspector::index {
namespace {

struct Found {
  uint32_t number = kNothing;
  uint64_t address = 0;
};

Found find_last(IndexFile& file, IndexSection regions, IndexSection starts, uint64_t address) {
  const IndexRegion* region = nullptr;
  for (uint64_t index = 0; index < file.count<IndexRegion>(regions); ++index) {
    const auto* one = file.at<IndexRegion>(regions, index);
    if (!one || one->base > address) break;
    region = one;
  }
  if (!region || region->count == 0) return {};
  const auto wanted = static_cast<uint32_t>(std::min<uint64_t>(address - region->base, UINT32_MAX));
  uint64_t low = region->first, high = low + region->count;  // the first one is the base
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    const auto* start = file.at<uint32_t>(starts, middle);
    if (!start) return {};
    (*start <= wanted ? low : high) = middle;
  }
  const auto* start = file.at<uint32_t>(starts, low);
  return start ? Found{static_cast<uint32_t>(low), region->base + *start} : Found{};
}

}  // namespace

uint32_t find_sorted(IndexFile& file, IndexSection regions, IndexSection starts, uint64_t address) {
  return find_last(file, regions, starts, address).number;
}

uint32_t find_equal(IndexFile& file, IndexSection regions, IndexSection starts, uint64_t address) {
  const Found found = find_last(file, regions, starts, address);
  return found.number != kNothing && found.address == address ? found.number : kNothing;
}

}  // namespace mortem::inspector::index
