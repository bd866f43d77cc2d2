// Executes int3 with no debugger there. The program counter is behind it: on the next line.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  DIE_WITH("", "int3");
  chain_sink = 0;  // frame: die
}
