// The short crash report: for people, on the console, and in the slot's text record. The most valuable facts first.
#pragma once

#include "kernel/crash/crash_state.h"
#include "kernel/crash/deadline.h"
#include "kernel/crash/text.h"

namespace kernel {

void write_report(const CrashState& state, TextWriter& text, const Deadline& deadline);

const char* level_name(mortem::format::DumpLevel level);
// An address as module+offset (offset: address in the ELF file), or alone where no module is.
void write_address(TextWriter& text, uint64_t address);

}  // namespace kernel
