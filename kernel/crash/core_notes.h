// The notes of the dump, in Linux's order (fs/binfmt_elf.c of Linux, fill_note_info): the crashed thread's PRSTATUS,
// the process's notes, the rest of that thread's, then the other threads; ours behind them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/crash/byte_sink.h"
#include "kernel/crash/crash_state.h"

namespace kernel {

struct NoteContext {
  const CrashState& state;
  mortem::format::DumpLevel level;
  uint64_t page_map_entries;  // as counted by a walk before
};
// The length does not depend on anything but the moment and the context: a CountingSink gives it beforehand.
bool write_notes(const NoteContext& context, ByteSink& to);

}  // namespace kernel
