// The dump's part of the crash path: disk, slot, and one attempt a level.
#pragma once

#include <cstdint>
#include <span>

#include "kernel/crash/crash_state.h"
#include "kernel/crash/deadline.h"
#include "kernel/crash/stages.h"
#include "kernel/crash/text.h"

namespace kernel {

// Opens the disk and chooses a slot. `text`: the text record.
void dump_open(CrashState& state, std::span<const char> text, Deadline deadline);
void dump_write(mortem::format::DumpLevel level);
DumpDone dump_done();
// `dump: slot 0, 1234567 bytes (full)`, or why there is none.
void dump_say_where(TextWriter::LineOutput output);
void dump_tell_host(const CrashState& state);

}  // namespace kernel
