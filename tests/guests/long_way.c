// A long way from a value's writing to the crash that shows it: so many million turns of computing, some pages written
// and a file read on the way.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char* volatile pointer = "here";
static unsigned long turns, sum;
static unsigned char memory[1 << 20];

__attribute__((noipa)) static void lose(void) {
  pointer = NULL;
}

__attribute__((noipa)) static unsigned long turn(unsigned long count) {
  unsigned long value = count;
  for (unsigned long i = 0; i < 250000; ++i) value = value * 6364136223846793005ul + 1442695040888963407ul;  // 4 each
  return value;
}

int main(int argc, char** argv) {
  const unsigned long million = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
  lose();
  const int file = open("/proc/self/exe", O_RDONLY);
  for (; turns < million; ++turns) {
    sum += turn(turns);
    memory[sum % sizeof memory] = (unsigned char)sum;
    if (file >= 0) (void)!pread(file, memory, 4096, (off_t)(4096 * (turns % 100)));
  }
  printf("%lx\n", sum);
  return *pointer;
}
