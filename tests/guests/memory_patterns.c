// Fills memory of every kind with a pattern that names its own address, then dies: what is read from the dump must be
// the right bytes of the right page, over page boundaries, and zero only where the program had zeros.
#include <stdlib.h>
#include <sys/mman.h>

#include "chain.h"

enum { kWords = 64 * 1024 };
uint64_t pattern_data[kWords];  // .bss, 512 KiB
uint64_t *pattern_heap, *pattern_mapped, *pattern_untouched;

static void fill(uint64_t* words) {
  for (int i = 0; i < kWords; i++) words[i] = (uint64_t)&words[i] * VECTOR_FACTOR;
}

void die(int argument) {
  chain_sink = argument;
  pattern_heap = malloc(sizeof pattern_data);
  pattern_mapped = mmap(0, sizeof pattern_data, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pattern_untouched = mmap(0, 1ul << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  fill(pattern_data);
  fill(pattern_heap);
  fill(pattern_mapped);
  DIE_WITH("xor %%edi, %%edi", "mov (%%rdi), %%rdi");  // frame: die
}
