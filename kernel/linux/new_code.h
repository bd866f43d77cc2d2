// What is done about code that appears while the program runs: `new-code=allow|refuse|crash` (the default is allow).
// A program starts with the code that its file and, before its first own instruction, its interpreter map. What becomes
// executable later is new: a mapping with PROT_EXEC, memory that gets PROT_EXEC by mprotect, code that becomes
// writable. That is what an attacker's shellcode needs, and a JIT, and dlopen.
#pragma once

#include <cstdint>

#include "kernel/linux/calls.h"

namespace kernel {
class Inode;
}

namespace kernel::linux {

// Once, before the program's first instruction. `program`: its file, when an interpreter maps libraries first; else
// null.
void begin_code_watch(const Inode* program);

// Before [start, start + length) gets `protection`; for a new mapping start is 0. AccessDenied: the policy refuses it;
// a policy of crash does not return. Memory that is writable and executable at once is logged whatever the policy is,
// once for each place that asks for it.
Result<void> check_new_code(const Arguments& argument, const char* call, uint64_t start, uint64_t length,
                            uint8_t protection);

}  // namespace kernel::linux
