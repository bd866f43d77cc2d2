// QEMU's migration stream, version 3 (QEMU's docs/devel/migration.rst, migration/savevm.c and migration/ram.c), taken
// apart while QEMU writes it: pages of the guest's main memory go to their places in a flat file, so that a reader can
// seek in it and twenty copies can map it; all the rest stays a stream, which QEMU's -incoming loads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "snapshot/result.h"

namespace mortem::snapshot {

struct MemoryBlock {  // a RAMBlock of QEMU's
  std::string name;
  uint64_t size = 0;
};

struct ReceivedState {
  std::string machine_type;    // pc-q35-7.2
  MemoryBlock memory;          // the main memory: the largest block
  uint64_t stream_bytes = 0;   // that QEMU sent
  uint64_t written_pages = 0;  // of the main memory, those written several times counted each time
};

// Reads `from` (a pipe or socket; a non-blocking one is waited for) to its end. `memory` and `state` are new, empty
// files. `note_bytes` is called now and then with the number of bytes so far, also while nothing comes; an error from
// it ends the work. What the stream does not say is an error: a stream that ends early, an unknown flag, a second
// device that sends its state in parts.
Result<ReceivedState> receive_migration(int from, int memory, int state,
                                        const std::function<Result<void>(uint64_t bytes)>& note_bytes);

}  // namespace mortem::snapshot
