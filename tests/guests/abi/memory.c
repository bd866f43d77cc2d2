// The mmap family, as Linux answers it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "faults.h"

#define PAGE 4096ul

static const char* error_of(long result) { return result < 0 ? strerrorname_np(errno) : "fine"; }
static const char* map_error(void* result) { return result == MAP_FAILED ? strerrorname_np(errno) : "fine"; }

int main(int argc, char** argv) {
  (void)argc;
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, 0);
  sigaction(SIGBUS, &action, 0);
  const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

  char* area = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, anonymous, -1, 0);
  printf("zero: %d\n", area[3 * PAGE]);
  memset(area, 'x', 8 * PAGE);
  printf("munmap middle: %s\n", error_of(munmap(area + 2 * PAGE, PAGE)));
  touch("hole", area + 2 * PAGE, 0);
  touch("beside the hole", area + 3 * PAGE, 1);
  printf("mprotect over the hole: %s\n", error_of(mprotect(area, 4 * PAGE, PROT_READ)));
  printf("mprotect: %s\n", error_of(mprotect(area + 4 * PAGE, 2 * PAGE, PROT_READ)));
  touch("write to read-only", area + 4 * PAGE, 1);
  touch("read of read-only", area + 5 * PAGE, 0);
  mprotect(area + 6 * PAGE, PAGE, PROT_NONE);
  touch("read of PROT_NONE", area + 6 * PAGE, 0);
  int ends[2];
  printf("pipe: %s\n", error_of(pipe(ends)));
  printf("the kernel reads PROT_NONE: %s\n", error_of(write(ends[1], area + 6 * PAGE, 8)));
  write(ends[1], "12345678", 8);
  printf("the kernel writes read-only: %s\n", error_of(read(ends[0], area + 5 * PAGE, 8)));
  close(ends[0]);
  close(ends[1]);
  mprotect(area + 6 * PAGE, PAGE, PROT_READ);
  printf("content after PROT_NONE: %c\n", area[6 * PAGE]);
  printf("noreplace: %s\n",
         map_error(mmap(area + 7 * PAGE, PAGE, PROT_READ, anonymous | MAP_FIXED_NOREPLACE, -1, 0)));
  char* fixed = mmap(area + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, anonymous | MAP_FIXED, -1, 0);
  printf("fixed: %s, at the place: %d\n", map_error(fixed), fixed == area + 2 * PAGE);
  printf("madvise: %s, now %d\n", error_of(madvise(area + 7 * PAGE, PAGE, MADV_DONTNEED)), area[7 * PAGE]);
  printf("madvise unaligned: %s\n", error_of(madvise(area + 1, PAGE, MADV_DONTNEED)));
  printf("munmap unaligned: %s\n", error_of(munmap(area + 1, PAGE)));
  printf("munmap of nothing: %s\n", error_of(munmap(area, 0)));
  printf("mmap of nothing: %s\n", map_error(mmap(0, 0, PROT_READ, anonymous, -1, 0)));
  printf("mmap without type: %s\n", map_error(mmap(0, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0)));
  printf("mmap of a bad descriptor: %s\n", map_error(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 99, 0)));

  char* reserved = mmap(0, 1ul << 40, PROT_NONE, anonymous | MAP_NORESERVE, -1, 0);
  printf("a reserved terabyte: %s\n", map_error(reserved));
  printf("a part of it: %s\n", error_of(mprotect(reserved + (1ul << 39), PAGE, PROT_READ | PROT_WRITE)));
  touch("write there", reserved + (1ul << 39), 1);
  printf("gone: %s\n", error_of(munmap(reserved, 1ul << 40)));

  char* grown = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, anonymous, -1, 0);
  strcpy(grown, "kept");
  grown = mremap(grown, 2 * PAGE, 4096 * PAGE, MREMAP_MAYMOVE);
  printf("mremap larger: %s, %s, %d\n", map_error(grown), grown, grown[4095 * PAGE]);
  grown = mremap(grown, 4096 * PAGE, PAGE, 0);
  printf("mremap smaller: %s, %s\n", map_error(grown), grown);
  touch("behind it", grown + PAGE, 0);
  char* target = mmap(0, 4 * PAGE, PROT_NONE, anonymous, -1, 0);
  char* moved = mremap(grown, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE);
  printf("mremap fixed: %d, %s\n", moved == target + PAGE, moved);
  printf("mremap of nothing there: %s\n", map_error(mremap(grown, PAGE, 2 * PAGE, MREMAP_MAYMOVE)));

  unsigned char resident[4];
  char* some = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, anonymous, -1, 0);
  some[PAGE] = 1;
  printf("mincore: %s, %d%d%d%d\n", error_of(mincore(some, 4 * PAGE, resident)), resident[0] & 1, resident[1] & 1,
         resident[2] & 1, resident[3] & 1);
  char* shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  strcpy(shared, "shared");
  madvise(shared, PAGE, MADV_DONTNEED);
  printf("shared after madvise: %s\n", shared);

  int file = open(argv[0], O_RDONLY);
  off_t size = lseek(file, 0, SEEK_END);
  char* mapped = mmap(0, size + 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  printf("file: %d%.3s\n", mapped[0], mapped + 1);
  mapped[1] = 'e';
  printf("own copy: %d%.3s\n", mapped[0], mapped + 1);
  printf("behind the end in its page: %d\n", mapped[(size | (PAGE - 1))]);
  touch("past the end of the file", mapped + ((size + PAGE - 1) & ~(PAGE - 1)) + PAGE, 0);
  printf("shared for writing: %s\n", map_error(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)));

  char* start = (char*)syscall(SYS_brk, 0);
  char* up = (char*)syscall(SYS_brk, start + 10 * PAGE);
  printf("brk: %ld pages more\n", (long)((up - start) / PAGE));
  start[9 * PAGE] = 7;
  syscall(SYS_brk, start);
  touch("above the break", (char*)(((unsigned long)start + PAGE - 1) & ~(PAGE - 1)) + 2 * PAGE, 0);
  syscall(SYS_brk, start + 10 * PAGE);
  printf("again zero: %d\n", start[9 * PAGE]);

  // Many areas, every second page another protection.
  char* many = mmap(0, 20000 * PAGE, PROT_READ | PROT_WRITE, anonymous, -1, 0);
  int failures = 0;
  for (long page = 0; page < 20000; page += 2) failures += mprotect(many + page * PAGE, PAGE, PROT_READ) != 0;
  printf("areas: %d failures, unmapped: %s\n", failures, error_of(munmap(many, 20000 * PAGE)));
  return 0;
}
