// Reads one byte past a buffer, from a PROT_NONE guard page behind it. A reservation of 64 GiB stands beside: it must
// cost the dump nothing.
#include <sys/mman.h>

#include "chain.h"

void* reservation;

void die(int argument) {
  chain_sink = argument;
  char* pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(pages + 4096, 4096, PROT_NONE);
  pages[4095] = 'x';
  reservation = mmap(0, 64ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  plant_address = (uint64_t)pages + 4096;
  DIE_WITH("mov plant_address(%%rip), %%rdi", "movzbl (%%rdi), %%eax");  // frame: die
}
