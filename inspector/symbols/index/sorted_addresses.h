// Rising addresses as an index keeps them: 32 bits each, from the base of their region.
#pragma once

#include <vector>

#include "inspector/symbols/index/index_file.h"
#include "inspector/symbols/index/index_writer.h"

namespace mortem::inspector::index {

class SortedAddresses {
 public:
  void add(uint64_t address) {  // not below the last one
    if (regions_.empty() || address - regions_.back().base > UINT32_MAX)
      regions_.push_back({address, static_cast<uint32_t>(starts_.size()), 0});
    ++regions_.back().count;
    starts_.push_back(static_cast<uint32_t>(address - regions_.back().base));
  }
  void write(IndexWriter& writer, IndexSection regions, IndexSection starts) const {
    writer.section(regions, regions_);
    writer.section(starts, starts_);
  }

 private:
  std::vector<IndexRegion> regions_;
  std::vector<uint32_t> starts_;
};

// The number of the last one that is not above `address`; kNothing: there is none.
uint32_t find_sorted(IndexFile& file, IndexSection regions, IndexSection starts, uint64_t address);
// The number of the one that is `address`; kNothing: there is none.
uint32_t find_equal(IndexFile& file, IndexSection regions, IndexSection starts, uint64_t address);

}  // namespace mortem::inspector::index
