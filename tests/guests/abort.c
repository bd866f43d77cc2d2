// Calls abort(). The registers that a call preserves are planted before it and are found by unwinding.
#include <unistd.h>

#include "chain.h"

void die(int argument) {
  chain_sink = argument + getpid();  // a call of C's own: the stack is aligned for the one below
  DIE_WITH("", "call abort");  // frame: die
}
