// Fills as many MiB as its first argument says, a quarter of it with noise that does not compress, says so, and dies.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char** argv) {
  size_t size = (argc > 1 ? strtoul(argv[1], 0, 10) : 1) << 20;
  uint64_t* words = malloc(size);
  uint64_t state = 88172645463325252;
  for (size_t i = 0; i < size / 8; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;  // xorshift64
    words[i] = (i / 512) % 4 == 0 ? state : (i / 8) * 0x0000000100000001ull;
  }
  printf("first instruction of main was long ago: %zu MiB are filled\n", size >> 20);
  fflush(stdout);
  *(volatile char*)0 = 1;
}
