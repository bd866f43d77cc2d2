// Reads from an address that no x86-64 page table can map: a general protection fault without an address.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  plant_address = 0x8000DEADBEEF0000;
  DIE_WITH("mov plant_address(%%rip), %%rdi", "mov (%%rdi), %%rdi");  // frame: die
}
