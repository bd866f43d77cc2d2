// Dies in a comparison function that libc calls: the stack goes through code without line information.
#include <stdlib.h>

#include "chain.h"

int compare(const void* left, const void* right) {
  chain_sink = *(const int*)left + *(const int*)right;
  DIE_WITH("xor %%edi, %%edi", "mov (%%rdi), %%rdi");  // frame: compare
  return 0;
}

void die(int argument) {
  int numbers[4] = {argument, 3, 2, 1};
  qsort(numbers, 4, sizeof numbers[0], compare);  // frame: die
  chain_sink = numbers[0];
}
