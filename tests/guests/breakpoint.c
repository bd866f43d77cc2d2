// Executes int3 with no debugger there.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  DIE_WITH("", "int3");  // frame: die
}
