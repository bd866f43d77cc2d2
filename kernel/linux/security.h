// What a program tries that an attacker in it would try: told in the kernel log with its stack, or the end of it.
#pragma once

#include "kernel/arch/x86_64/trap_frame.h"

namespace kernel::linux {

// One warning on the console, the caller's stack as module and offset in the kernel log. After the first few only every
// time the count has doubled, so that nobody can flood the log. With `setting`=crash (`on-exec`) the program ends with
// a dump, as by SIGSYS. `what`: one line, NUL-terminated.
void security_event(const char* setting, const char* what, TrapFrame& frame);

}  // namespace kernel::linux
