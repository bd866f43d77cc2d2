// What is at an address, in words: "not mapped, 16 bytes past the end of /bin/server", "read-only memory of
// /bin/server".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "snapshot/core_file.h"

namespace mortem::inspector {

struct MemoryPlace {
  bool mapped = false;
  bool kernel = false;          // the kernel's own memory
  uint64_t start = 0, end = 0;  // of the mapping
  uint32_t flags = 0;           // PF_*; 0: reserved without access
  std::string path;             // empty: anonymous memory
};
MemoryPlace memory_place(const snapshot::CoreFile& core, uint64_t address);

// `pointer`: what the access started from, if known: it tells whether the access ran off the end of its mapping.
std::string memory_place_text(const snapshot::CoreFile& core, uint64_t address, std::optional<uint64_t> pointer);

// File or module that is mapped there; empty: none.
std::string mapped_path(const snapshot::CoreFile& core, uint64_t address);

}  // namespace mortem::inspector
