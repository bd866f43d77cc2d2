// Executes ud2.
#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  DIE_WITH("", "ud2");  // frame: die
}
