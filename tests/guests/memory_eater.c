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

// Words that say where they stand.
static void fill(unsigned long* words, size_t size, unsigned long mark) {
  for (size_t at = 0; at < size / sizeof *words; ++at) words[at] = at ^ mark;
}
static size_t wrong_words(const unsigned long* words, size_t size, unsigned long mark) {
  size_t wrong = 0;
  for (size_t at = 0; at < size / sizeof *words; ++at) wrong += words[at] != (at ^ mark);
  return wrong;
}

// A file is mapped whole and read, and part of it changed, privately and not; then the program takes memory for which
// the file's pages have to go. Nothing may be lost.
static void squeeze(size_t file_size, size_t memory_size) {
  const size_t page = 4096, shared_at = MIB, private_at = file_size / 2, privately = MIB, changed = 5 * MIB;
  unsigned long* block = malloc(MIB);
  int file = open("/mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
  for (size_t at = 0; at < file_size; at += MIB) {
    fill(block, MIB, at);
    if (write(file, block, MIB) != MIB) printf("write: %s\n", strerror(errno));
  }
  fsync(file);
  char* private = mmap(0, file_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  char* shared = mmap(0, file_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  size_t wrong = 0;
  for (size_t at = 0; at < file_size; at += MIB) wrong += wrong_words((void*)(private + at), MIB, at);
  printf("read through a mapping: %zu words wrong\n", wrong);
  fill((void*)(private + private_at), privately, 1);
  fill((void*)(shared + shared_at), changed, 2);
  char* memory = mmap(0, memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int round = 0; round < 2; ++round) {
    fill((void*)memory, memory_size, 3);
    wrong = 0;
    for (size_t at = 0; at < file_size; at += page) {
      const int is_private = at >= private_at && at < private_at + privately;
      const int is_shared = at >= shared_at && at < shared_at + changed;
      const unsigned long in_file = at / MIB * MIB ^ at % MIB / sizeof *block;
      const unsigned long word = is_shared ? 2 ^ (at - shared_at) / sizeof *block : in_file;
      wrong += *(unsigned long*)(shared + at) != word;
      wrong += *(unsigned long*)(private + at) != (is_private ? 1 ^ (at - private_at) / sizeof *block : word);
    }
    printf("of the file: %zu words wrong, of memory: %zu\n", wrong, wrong_words((void*)memory, memory_size, 3));
  }
  munmap(shared, file_size);
  wrong = 0;
  for (size_t at = 0; at < changed; at += MIB) {
    pread(file, block, MIB, (off_t)(shared_at + at));
    for (size_t word = 0; word < MIB / sizeof *block; ++word) wrong += block[word] != (2 ^ (at / sizeof *block + word));
  }
  printf("read from the file: %zu words wrong\n", wrong);
}

int main(int argc, char** argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "touch") == 0) touch_without_end();
  if (strcmp(what, "read") == 0) read_without_end();
  if (strcmp(what, "look") == 0) look();
  if (strcmp(what, "squeeze") == 0) squeeze(12 * MIB, 12 * MIB);
  return 0;
}
