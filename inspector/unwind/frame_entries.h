// Where the entries of a section of call frame information stand, found without reading their instructions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inspector/unwind/call_frame_information.h"

namespace mortem::inspector {

struct FrameEntry {                      // a frame description entry
  uint64_t low = 0, high = 0;            // addresses of the ELF file that it describes
  uint32_t offset = 0, size = 0;         // in the section, its length field included
  uint32_t common = 0, common_size = 0;  // of its common information entry
};

// By address, none over another; without those that describe nothing. Nothing at all: there is something in the section
// that is broken, or that compilers of x86-64 do not write. Formats: DWARF 5, section 6.4.1; LSB 5.0, "Exception
// Frames".
std::optional<std::vector<FrameEntry>> frame_entries(const FrameSection& section);

// A section with this entry only, its common information before it, which says the same of the same addresses.
FrameSection slice(const FrameSection& section, const FrameEntry& entry);

}  // namespace mortem::inspector
