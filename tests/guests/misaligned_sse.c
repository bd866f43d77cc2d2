// movaps at an address that is not a multiple of 16: a general protection fault without an address.
#include "chain.h"

__attribute__((aligned(16))) char misaligned_buffer[32];

void die(int argument) {
  chain_sink = argument;
  plant_address = (uint64_t)misaligned_buffer + 4;
  DIE_WITH("mov plant_address(%%rip), %%rdi", "movaps (%%rdi), %%xmm0");  // frame: die
}
