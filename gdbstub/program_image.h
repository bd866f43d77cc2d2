// The main program as it lies in memory, found from the auxiliary vector (getauxval(3)) and its program headers (ELF
// gABI, chapter 5), and the list of what the dynamic linker has loaded.
#pragma once

#include <cstdint>

#include "gdbstub/target.h"

namespace mortem::gdbstub {

struct ProgramHeader {  // Elf64_Phdr
  uint32_t type, flags;
  uint64_t offset, address, physical, file_size, memory_size, alignment;
};
inline constexpr uint32_t kDynamicSegment = 2, kProgramHeaderSegment = 6, kThreadLocalSegment = 7;

// The segment of this type, with its address as it is in memory. False: there is none, or it is not known.
bool find_segment(Target& target, uint32_t type, ProgramHeader& header);

// struct link_map as <link.h> has it; glibc keeps more behind.
struct LinkMap {
  uint64_t load_address, name, dynamic, next, previous;
};

// struct r_debug of <link.h>: one list of link maps. Since version 2 there is one for each namespace (dlmopen(3)).
struct LinkMapList {
  uint32_t version, reserved;
  uint64_t first, hook, state, loader;
  uint64_t next;  // only since version 2
};

// Where the dynamic linker writes the address of its first list (the value of DT_DEBUG); 0: the program has no such
// place.
uint64_t link_map_list_pointer(Target& target);
// That first list; 0: none yet. The program is the first in it.
uint64_t first_link_map_list(Target& target);
// Without what its version does not have. False: it cannot be read.
bool read_link_map_list(Target& target, uint64_t address, LinkMapList& list);

// Whole values and structures.
template <typename T>
bool read_object(Target& target, uint64_t address, T& object) {
  return target.read_memory(address, {reinterpret_cast<uint8_t*>(&object), sizeof object}) == sizeof object;
}

}  // namespace mortem::gdbstub
