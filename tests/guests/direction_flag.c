// Dies with the direction flag and the alignment-check flag set: a kernel that does not clear them on entry copies
// backwards, or loses its protection against user pages.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  DIE_WITH("pushfq\n\torq $0x40401, (%%rsp)\n\tpopfq\n\txchg %%rax, %%rax\n\tmov $0, %%rdi",
           "mov (%%rdi), %%rdi");  // frame: die
}
