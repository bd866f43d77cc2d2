// Dies with the same memory at several addresses: shared memory twice (writable and read-only), a file in memory whose
// pages were only written by calls, and a private view with one page of its own.
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define PAGES 64

unsigned char *writable, *readable, *private, *untouched;

int main(void) {
  int file = memfd_create("views", 0);
  ftruncate(file, PAGES * PAGE);
  writable = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  readable = mmap(0, PAGES * PAGE, PROT_READ, MAP_SHARED, file, 0);
  private = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  for (unsigned page = 0; page < PAGES; ++page) {
    for (unsigned word = 0; word < PAGE / 8; ++word)
      ((uint64_t*)(writable + page * PAGE))[word] = 0x5EED000000000000u + page * 4096u + word;
    volatile unsigned char seen = readable[page * PAGE] ^ private[page * PAGE];
    (void)seen;
  }
  strcpy((char*)private + 3 * PAGE, "a page of its own");
  int second = memfd_create("written", 0);
  static char text[PAGE];
  memset(text, 'w', sizeof text);
  strcpy(text, "written by a call");
  pwrite(second, text, sizeof text, 2 * PAGE);
  explicit_bzero(text, sizeof text);  // now it is in the file alone
  ftruncate(second, 4 * PAGE);
  untouched = mmap(0, 4 * PAGE, PROT_READ, MAP_SHARED, second, 0);
  *(volatile int*)16 = 1;
  return 0;
}
