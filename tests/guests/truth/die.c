// The end of the chain; always compiled in one way.
#include "truth.h"

#include "../plant.h"

volatile long truth_sink;
const void* volatile truth_memory;
volatile double truth_float;

__attribute__((noinline)) void keep(long value) { truth_sink = value; }
__attribute__((noinline)) void keep_float(double value) { truth_float = value; }
__attribute__((noinline)) void keep_memory(const void* value) { truth_memory = value; }

__attribute__((noinline)) void truth_die(void) {
  plant_prepare();
  DIE_WITH("xor %%edi, %%edi", "mov (%%rdi), %%rdi");
}

int main(int argc, char** argv) {
  (void)argv;
  const long result = c_integers(argc - 1);
  keep(result);
  return 0;
}
