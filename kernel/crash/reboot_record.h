// How often the guest came back without getting as far as its program: kept in a page that neither the kernel's own
// restart nor a reset of QEMU's machine clears. Where memory does not last, each boot is the first.
#pragma once

#include <cstdint>

namespace kernel {

// At boot: counts it; says so when boots before this one ended before the program's first instruction, and waits a
// little once that has happened several times, so that a guest which cannot start does not burn its host's processor.
void reboot_record_begin();
// The program's first instruction is next.
void reboot_record_program_starts();

}  // namespace kernel
