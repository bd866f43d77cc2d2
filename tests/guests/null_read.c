// Reads through a null pointer.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  DIE_WITH("xor %%edi, %%edi", "mov (%%rdi), %%rdi");  // frame: die
}
