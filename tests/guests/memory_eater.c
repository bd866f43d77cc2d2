// Wants more memory than there is, in the way that its argument names.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1ul << 20)

// Touches memory without end, in pieces that each could fit.
static void touch_without_end(void) {
  for (;;) {
    char* piece = malloc(MIB);
    if (piece == NULL) {
      printf("malloc: %s\n", strerror(errno));
      exit(3);
    }
    memset(piece, 'x', MIB);
  }
}

// The same by the kernel's hand: a call writes into memory that nobody has touched.
static void read_without_end(void) {
  int zero = open("/dev/zero", O_RDONLY);
  for (;;) {
    char* piece = mmap(0, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece == MAP_FAILED) exit(3);
    read(zero, piece, MIB);
  }
}

// A program that looks at what it gets: too much at once is ENOMEM, and so is what a full /dev/shm answers, ENOSPC.
static void look(void) {
  printf("malloc of a terabyte: %s\n", malloc(1ul << 40) == NULL ? strerror(errno) : "fine");
  void* map = mmap(0, 1ul << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("mmap of a terabyte: %s\n", map == MAP_FAILED ? strerror(errno) : "fine");
  map = mmap(0, 1ul << 40, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  printf("shared: %s\n", map == MAP_FAILED ? strerror(errno) : "fine");
  map = mmap(0, 1ul << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  printf("reserved only: %s\n", map == MAP_FAILED ? strerror(errno) : "fine");
  printf("sbrk: %s\n", sbrk(1l << 36) == (void*)-1 ? strerror(errno) : "fine");
  static char block[1 << 16];
  int file = open("/dev/shm/full", O_RDWR | O_CREAT, 0600);
  unsigned long written = 0;
  for (ssize_t count; (count = write(file, block, sizeof block)) > 0;) written += (unsigned long)count;
  printf("/dev/shm full: %s, after half of the memory: %d\n", strerror(errno), written >= 10 * MIB);
  printf("unlink: %d\n", unlink("/dev/shm/full"));
  close(file);
  char* half = malloc(written);
  memset(half, 1, written);
  printf("its memory is back\n");
}

int main(int argc, char** argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "touch") == 0) touch_without_end();
  if (strcmp(what, "read") == 0) read_without_end();
  if (strcmp(what, "look") == 0) look();
  return 0;
}
