// Sleeps for a tenth of a millisecond at a time, for so many seconds.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
  const double end = now() + (argc > 1 ? atof(argv[1]) : 1);
  unsigned long naps = 0;
  for (; now() < end; ++naps) nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
  printf("%lu naps\n", naps);
  return 0;
}
