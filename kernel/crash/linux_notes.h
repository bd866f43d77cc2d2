// The notes that every Linux core has (owners CORE and LINUX), so that stock debuggers feel at home.
#pragma once

#include "kernel/crash/crash_state.h"
#include "kernel/crash/note_writer.h"

namespace kernel {

bool write_linux_notes(const CrashState& state, NoteWriter& notes);

}  // namespace kernel
