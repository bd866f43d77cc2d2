// Fills a piece of memory with words that are known, then waits: usage holds_memory MIB
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

volatile unsigned mark;
static unsigned long* words;
static size_t count;

// Called by a debugger: of words 0, 1, 2, ... it is count * (count - 1) / 2.
unsigned long sum_of_words(void) {
  unsigned long sum = 0;
  for (size_t at = 0; at < count; ++at) sum += words[at];
  return sum;
}

int main(int argument_count, char** arguments) {
  count = (argument_count > 1 ? strtoul(arguments[1], NULL, 10) : 64) * 1024 * 1024 / sizeof *words;
  words = malloc(count * sizeof *words);
  for (size_t at = 0; at < count; ++at) words[at] = at;
  printf("holding\n");
  fflush(stdout);
  for (;;) pause();
}
