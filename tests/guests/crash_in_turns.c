// Tells where things stand in memory, then dies in one of two ways, by its argument.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int* volatile nowhere;

static __attribute__((noinline)) void first_way(void) {
  *nowhere = 1;
}
static __attribute__((noinline)) void second_way(void) {
  *nowhere = 2;
}

int main(int count, char** arguments) {
  char on_stack;
  void* mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("places app=%p stack=%p heap=%p mapped=%p\n", (void*)&main, (void*)&on_stack, sbrk(0), mapped);
  fflush(stdout);
  if (count > 1 && strcmp(arguments[1], "second") == 0)
    second_way();
  else
    first_way();
  return 0;
}
