// An assertion that does not hold.
#include <assert.h>

#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  assert(chain_sink == -1 && "the one that fails");  // frame: die
}
