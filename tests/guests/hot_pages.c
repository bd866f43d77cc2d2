// Writes the number of the round to each of some pages, in their order, for ever. At no moment are two of them farther
// apart than one round.
#include <stdio.h>

struct page {
  volatile unsigned long round;
  char rest[4096 - sizeof(unsigned long)];
};
static _Alignas(4096) struct page pages[16];

int main(void) {
  printf("writing\n");
  fflush(stdout);
  for (unsigned long round = 1;; ++round)
    for (int at = 0; at < 16; ++at) pages[at].round = round;
}
