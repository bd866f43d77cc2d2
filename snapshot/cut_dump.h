// What is left of a dump whose guest ended while it wrote it, made into a core that claims no more than it holds.
#pragma once

#include <cstdint>
#include <vector>

#include "snapshot/byte_source.h"
#include "snapshot/format/slot.h"
#include "snapshot/result.h"
#include "snapshot/zstd_frames.h"

namespace mortem::snapshot {

// The level of such a core. No guest writes it, so the guest's own list of levels does not have it.
inline constexpr format::DumpLevel kLevelCutShort{5};

struct MendedStart {
  size_t replaced = 0;         // so many frames from the first on hold the headers and notes
  std::vector<uint8_t> bytes;  // these frames anew, one after another
  std::vector<ZstdFrame> frames;
};

// `frames`: the whole ones at the start of `compressed`. A segment without content becomes PT_NULL, one that is cut
// ends at the last page that is there, the page map says "dropped" of what is missing, and the reason note's level
// becomes kLevelCutShort. An error if not even headers and notes are there.
Result<MendedStart> mend_cut_dump(const ByteSource& compressed, const std::vector<ZstdFrame>& frames);

}  // namespace mortem::snapshot
