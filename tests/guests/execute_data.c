// Calls data: the page is not executable. The program counter is the data's address.
#include "chain.h"

uint64_t data_not_code = 0xC3C3C3C3C3C3C3C3;  // ret, if it were executed

void die(int argument) {
  chain_sink = argument;
  plant_address = (uint64_t)&data_not_code;
  DIE_WITH("mov plant_address(%%rip), %%rdi", "call *%%rdi");  // frame: die
}
