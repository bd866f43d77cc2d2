// For tests/bench/stub: a program that does nothing but call a function.
#include <stdio.h>

static volatile long counter;
char bytes[1 << 16] = {1};

__attribute__((noinline)) void place(void) {
  counter = counter + 1;
}

int main(void) {
  puts("looping");
  fflush(stdout);
  for (;;) place();
}
