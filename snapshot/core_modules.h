// The modules of a core that has no Modules note: found by NT_FILE, the auxiliary vector, and the ELF headers that
// stand in its memory.
#pragma once

#include <functional>
#include <vector>

#include "snapshot/core_notes.h"

namespace mortem::snapshot {

// As CoreFile::read_memory.
using ReadMemory = std::function<Result<size_t>(uint64_t address, std::span<uint8_t> to)>;

std::vector<CoreModule> find_core_modules(const ReadMemory& read, const CoreNotes& notes);

// A dump's kernel knows modules by GNU build ids; Go's own stand in the program's memory.
void add_go_build_ids(const ReadMemory& read, std::vector<CoreModule>& modules);

}  // namespace mortem::snapshot
