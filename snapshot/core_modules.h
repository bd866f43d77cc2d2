// The modules of a core that has no Modules note: found by NT_FILE, the auxiliary vector, and the ELF headers that
// stand in its memory.
#pragma once

#include <vector>

#include "snapshot/core_memory.h"
#include "snapshot/core_notes.h"

namespace mortem::snapshot {

std::vector<CoreModule> find_core_modules(const CoreMemory& memory, const CoreNotes& notes);

// A dump's kernel knows modules by GNU build ids; Go's own stand in the program's memory.
void add_go_build_ids(const CoreMemory& memory, std::vector<CoreModule>& modules);

}  // namespace mortem::snapshot
