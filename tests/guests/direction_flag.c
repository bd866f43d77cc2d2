// Dies with the direction flag and the alignment-check flag set: a kernel that does not clear them on entry copies
// backwards, or loses its protection against user pages.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  // After popfq (which needs the stack) only mov, which changes no flag.
  DIE_WITH("pushfq; orq $0x40401, (%%rsp); popfq; mov $0, %%edi", "mov (%%rdi), %%rdi");  // frame: die
}
