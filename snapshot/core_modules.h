// The modules of a core that has no Modules note: found by NT_FILE, the auxiliary vector, and the ELF headers that
// stand in its memory.
#pragma once

#include <vector>

#include "snapshot/core_memory.h"
#include "snapshot/core_notes.h"

namespace mortem::snapshot {

std::vector<CoreModule> find_core_modules(const CoreMemory& memory, const CoreNotes& notes);

}  // namespace mortem::snapshot
