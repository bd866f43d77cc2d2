// What a core holds of memory: its stored segments, and what the page map adds (known zeros, other views of pages).
#pragma once

#include <vector>

#include "snapshot/core_file.h"

namespace mortem::snapshot {

class CoreMemory {
 public:
  CoreMemory(const ByteSource& bytes, const std::vector<CoreSegment>& segments,
             const std::vector<format::PageMapEntry>& page_map);

  // As CoreFile::read_memory.
  Result<size_t> read(uint64_t address, std::span<uint8_t> to) const;

 private:
  // All ranges are kept with their last address, because a range may end with the address space.
  struct Stored {
    uint64_t first, last, file_offset;
  };
  struct Physical {
    uint64_t first, last, virtual_start;
  };
  struct View {  // an Untouched or Alias range of the page map
    uint64_t first, last;
    uint64_t physical_start;  // ~0: Untouched
  };
  struct Piece {
    enum { Absent, Zero, File } kind = Absent;
    uint64_t length = 0;       // bytes from the asked address on
    uint64_t file_offset = 0;  // of File
  };
  Piece find_stored(uint64_t address) const;
  Piece find(uint64_t address) const;

  const ByteSource& bytes_;
  std::vector<Stored> stored_;      // by address, without overlap
  std::vector<Physical> physical_;  // by physical address, without overlap
  std::vector<View> views_;         // by address, without overlap
};

}  // namespace mortem::snapshot
