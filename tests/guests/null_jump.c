// Calls a function through a null pointer. plant_instruction is the call; the program counter is 0.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  DIE_WITH("xor %%edi, %%edi", "call *%%rdi");  // frame: die
}
