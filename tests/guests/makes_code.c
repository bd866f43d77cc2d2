// Makes code at run time in every way there is, and says what came of it. Built by test_new_code.py, static and
// dynamic.
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#define PAGE 4096ul

static const unsigned char code[] = {0xB8, 42, 0, 0, 0, 0xC3};  // mov $42,%eax; ret

static const char* result(int failed) { return failed ? strerror(errno) : "fine"; }

int main(int argc, char** argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  void* mapped = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("mmap: %s\n", result(mapped == MAP_FAILED));
  unsigned char* data = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(data, code, sizeof code);
  int failed = mprotect(data, PAGE, PROT_READ | PROT_EXEC);
  printf("mprotect: %s\n", result(failed));
  if (!failed) printf("it returns %d\n", ((int (*)(void))data)());
  for (int round = 0; round < 3; ++round) {
    mapped = mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("writable and executable: %s\n", result(mapped == MAP_FAILED));
  }
  unsigned char* own = (unsigned char*)((unsigned long)main & ~(PAGE - 1));
  printf("own code writable: %s\n", result(mprotect(own, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC)));
  printf("own code as it is: %s\n", result(mprotect(own, PAGE, PROT_READ | PROT_EXEC)));
  int segment = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700);
  printf("shmat: %s\n", result(shmat(segment, 0, SHM_EXEC) == (void*)-1));
  if (argc > 1) printf("dlopen: %s\n", dlopen(argv[1], RTLD_NOW) != NULL ? "fine" : "refused");
  return 0;
}
