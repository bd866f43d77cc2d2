// Runs code out of a file that it maps privately twice, and says whether the file still is what was written: a
// debugger's breakpoint must stay out of it, and out of the other view.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const unsigned char code[] = {0x8D, 0x47, 0x01, 0xC3};  // lea 1(%rdi),%eax; ret

volatile int keep_going = 1;
int (*run)(int);
int (*other)(int);
int file;

// The debugger puts its breakpoint here first, then into the code.
__attribute__((noinline)) void mapped(void) { asm volatile("" ::: "memory"); }

__attribute__((noinline)) void check(int value) {
  unsigned char now[sizeof code];
  pread(file, now, sizeof now, 0);
  printf("run: %d, file: %s, other view: %s\n", value, memcmp(now, code, sizeof code) == 0 ? "unchanged" : "changed",
         memcmp((const void*)other, code, sizeof code) == 0 ? "unchanged" : "changed");
  fflush(stdout);
}

int main(void) {
  file = open("/tmp/code", O_RDWR | O_CREAT, 0700);
  write(file, code, sizeof code);
  run = (int (*)(int))mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  other = (int (*)(int))mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  mapped();
  check(run(41));
  check(run(42));
  return 0;
}
