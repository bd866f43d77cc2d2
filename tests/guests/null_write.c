// Writes to a member of a structure at null.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  DIE_WITH("xor %%edi, %%edi", "mov %%rax, 0x18(%%rdi)");  // frame: die
}
