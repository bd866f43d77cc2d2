// What of a dump is needed to boot it: its pages by physical address, as the page map has them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "snapshot/core_file.h"
#include "snapshot/format/guest_description.h"

namespace mortem::snapshot {

class DumpMemory {
 public:
  struct Range {
    uint64_t physical, length, address;  // bytes; `address`: under which the core has them
  };

  explicit DumpMemory(const CoreFile& core);

  const std::vector<Range>& ranges() const { return ranges_; }  // by physical address; they may overlap
  bool holds(uint64_t physical) const;                          // that page is stored
  Result<void> read_physical(uint64_t physical, std::span<uint8_t> to) const;
  Result<void> read(uint64_t address, std::span<uint8_t> to) const;  // all of it
  Result<format::GuestDescription> description() const;              // checked as far as it can be by itself

 private:
  const CoreFile& core_;
  std::vector<Range> ranges_;
};

}  // namespace mortem::snapshot
