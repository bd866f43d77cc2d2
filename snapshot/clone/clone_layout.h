// Which memory of a clone its core holds, and where: what a dump of the same moment would (kernel/crash/dump_plan.cpp).
#pragma once

#include <cstdint>
#include <vector>

#include "snapshot/clone/guest_facts.h"
#include "snapshot/core_file.h"
#include "snapshot/format/notes.h"

namespace mortem::snapshot {

inline constexpr uint64_t kZeros = ~uint64_t{0};

struct CloneExtent {  // of the core's content
  uint64_t at = 0, length = 0;
  uint64_t source = 0;  // offset in the memory file, or kZeros
};

struct CloneLayout {
  std::vector<CoreSegment> segments;  // file_offset: in the content
  std::vector<format::PageMapEntry> page_map;
  std::vector<CloneExtent> content;
  uint64_t content_bytes = 0;
};

CloneLayout lay_out_clone(const GuestMemory& memory, const GuestFacts& facts);

}  // namespace mortem::snapshot
