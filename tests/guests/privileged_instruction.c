// Executes hlt in ring 3.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  DIE_WITH("", "hlt");  // frame: die
}
