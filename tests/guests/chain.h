// The way to every death: main → step_one → step_two → step_inlined (inlined into step_two) → die, which each guest
// defines. The lines of the stack are found by the marks `frame: NAME`.
#pragma once

#include "plant.h"

#ifdef __cplusplus
#define C_LINKAGE extern "C"
#else
#define C_LINKAGE
#endif

volatile int chain_sink = 0;

C_LINKAGE __attribute__((noinline)) void die(int argument);

static inline __attribute__((always_inline)) int step_inlined(int argument) {
  die(argument + 3);  // frame: step_inlined
  return argument + chain_sink;  // something left to do: no tail call
}

C_LINKAGE __attribute__((noinline)) int step_two(int argument) {
  int result = step_inlined(argument + 2);  // frame: step_two
  chain_sink = result;
  return result + chain_sink;
}

C_LINKAGE __attribute__((noinline)) int step_one(int argument) {
  int result = step_two(argument + 1);  // frame: step_one
  chain_sink = result;
  return result + chain_sink;
}

int main(int argc, char** argv) {
  (void)argv;
  plant_prepare();
  int result = step_one(argc);  // frame: main
  chain_sink = result;
  return 0;
}
