// Divides an integer by zero.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  DIE_WITH("xor %%edi, %%edi", "idiv %%rdi");  // frame: die
}
