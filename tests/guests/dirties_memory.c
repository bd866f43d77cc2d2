// Writes all of a piece of memory again and again, and counts how often: usage dirties_memory MIB
#include <stdio.h>
#include <stdlib.h>

volatile unsigned long rounds;

int main(int count, char** words) {
  const size_t size = (count > 1 ? strtoul(words[1], NULL, 10) : 64) << 20;
  volatile unsigned long* memory = malloc(size);
  for (;; ++rounds) {
    for (size_t at = 0; at < size / sizeof *memory; at += 512) memory[at] = rounds + at;
    if (rounds != 0) continue;
    printf("writing\n");  // all of it is there now
    fflush(stdout);
  }
}
