// QEMU's migration stream, version 3 (QEMU's docs/devel/migration.rst, migration/savevm.c and migration/ram.c), taken
// apart while QEMU writes it: pages of the guest's main memory go to their places in a flat file, so that a reader can
// seek in it and twenty copies can map it; all the rest stays a stream, which QEMU's -incoming loads.
#pragma once

#include <cstdint>
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

// What happens meanwhile, in the thread that receives. An error ends the work.
class ReceptionListener {
 public:
  virtual ~ReceptionListener() = default;
  virtual Result<void> go_on() = 0;  // several times a second, whether something comes or not
  // All that was there is read. Called again when `wakes()`, a descriptor, can be read; -1: there is none.
  virtual Result<void> nothing_comes() = 0;
  virtual int wakes() const = 0;
  struct Page {
    uint64_t address;  // guest-physical, of the main memory
    uint64_t at;       // where it begins in the stream
    uint64_t read;     // so many bytes of the stream have been read so far, of what follows perhaps, too
    bool is_zero;      // else it comes whole
  };
  virtual Result<void> page(const Page& page) = 0;
  // A part of the memory is at its end.
  virtual Result<void> part_ended(uint64_t read) = 0;
};

// Reads `from` (a pipe or socket; a non-blocking one is waited for) to its end. `memory` and `state` are new, empty
// files. What the stream does not say is an error: a stream that ends early, an unknown flag, a second device that
// sends its state in parts.
Result<ReceivedState> receive_migration(int from, int memory, int state, ReceptionListener& listener);

}  // namespace mortem::snapshot
