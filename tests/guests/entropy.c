// What the program gets of randomness, a line each: getrandom's bytes, the 16 of AT_RANDOM, /dev/urandom's, and whether
// the processor says that it has RDRAND.
#include <cpuid.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

static void show(const char* what, const unsigned char* bytes, int count) {
  printf("%s ", what);
  for (int index = 0; index < count; ++index) printf("%02x", bytes[index]);
  printf("\n");
}

int main(void) {
  unsigned char bytes[32] = {0};
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return 1;
  show("getrandom", bytes, sizeof bytes);
  show("auxv", (const unsigned char*)getauxval(AT_RANDOM), 16);
  const int device = open("/dev/urandom", O_RDONLY);
  if (read(device, bytes, sizeof bytes) != sizeof bytes) return 1;
  show("urandom", bytes, sizeof bytes);
  unsigned a, b, c, d;
  __cpuid(1, a, b, c, d);
  printf("rdrand %u\n", c >> 30 & 1);
  fflush(stdout);
  return 0;
}
