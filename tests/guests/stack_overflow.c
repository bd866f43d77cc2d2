// Recurses until the stack is gone. Each level touches the word 2048 bytes below its stack pointer with all registers
// planted, so that it is always this instruction that meets the end of the stack.
#include "chain.h"

volatile int recursion_depth = 0;

__attribute__((noinline)) int descend(int level) {
  volatile char ballast[512];
  ballast[level & 511] = 1;
  recursion_depth = level;
  DIE_WITH("", "movq $1, -2048(%%rsp)");  // frame: descend_last
  int result = descend(level + 1);        // frame: descend
  return result + ballast[level & 511];
}

void die(int argument) {
  chain_sink = descend(1) + argument;  // frame: die
}
