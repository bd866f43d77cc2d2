// The kernel's own code in the program dies of the program's pointer: clock_gettime writes through it in the vDSO.
#include <time.h>

#include "chain.h"

void die(int argument) {
  struct timespec* volatile nowhere = (struct timespec*)8;
  clock_gettime(CLOCK_MONOTONIC, nowhere);  // frame: die
  chain_sink = argument;
}
