// Writes to read-only data.
#include "chain.h"

const uint64_t read_only_word = 42;

void die(int argument) {
  chain_sink = argument;
  plant_address = (uint64_t)&read_only_word;
  DIE_WITH("mov plant_address(%%rip), %%rdi", "mov %%rax, (%%rdi)");  // frame: die
}
