// Three functions that call each other until the stack is gone: a recursion with a period of three.
#include "chain.h"

volatile int recursion_depth = 0;

int third(int level);

__attribute__((noinline)) int first(int level) {
  volatile char ballast[256];
  ballast[level & 255] = 1;
  recursion_depth = level;
  DIE_WITH("", "movq $1, -2048(%%rsp)");  // frame: first_last
  int result = third(level + 1);          // frame: first
  return result + ballast[level & 255];
}

__attribute__((noinline)) int second(int level) {
  volatile char ballast[256];
  ballast[level & 255] = 1;
  int result = first(level);  // frame: second
  return result + ballast[level & 255];
}

__attribute__((noinline)) int third(int level) {
  volatile char ballast[256];
  ballast[level & 255] = 1;
  int result = second(level);  // frame: third
  return result + ballast[level & 255];
}

void die(int argument) {
  chain_sink = third(1) + argument;  // frame: die
}
