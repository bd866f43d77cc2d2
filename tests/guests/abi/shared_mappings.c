// One page at several addresses: shared memory, shared and private views of files.
// Built with musl too.
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"
#include "faults.h"

#define PAGE 4096ul

static int map_error(void* result) { return result == MAP_FAILED ? errno : 0; }

static void* map_file(int file, unsigned long pages, int protection, int type) {
  return mmap(0, pages * PAGE, protection, type, file, 0);
}

static void anonymous(void) {
  char* one = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fact("zeros", one[3 * PAGE]);
  strcpy(one + PAGE, "seen twice");
  char* two = mremap(one, 0, 4 * PAGE, MREMAP_MAYMOVE);
  fact("another view", map_error(two));
  printf("through the other: %s, elsewhere: %d\n", two + PAGE, two != one);
  two[2 * PAGE] = 'x';
  fact("and back", one[2 * PAGE]);
  fact("madvise", error_of(madvise(one, 4 * PAGE, MADV_DONTNEED)));
  printf("still there: %s\n", one + PAGE);
  fact("munmap of one", error_of(munmap(one, 4 * PAGE)));
  printf("the other has it: %s\n", two + PAGE);
  two = mremap(two, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
  fact("larger than the memory", map_error(two));
  printf("what there is: %s\n", two + PAGE);
  touch("behind its end", two + 6 * PAGE, 0);
  fact("remove", error_of(madvise(two, 2 * PAGE, MADV_REMOVE)));
  fact("removed", two[PAGE]);
  fact("not removed", two[2 * PAGE]);
  fact("remove unaligned", error_of(madvise(two + 1, PAGE, MADV_REMOVE)));
  fact("free of shared", error_of(madvise(two, PAGE, MADV_FREE)));
  munmap(two, 8 * PAGE);
  char* private = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fact("a second view of private memory", map_error(mremap(private, 0, PAGE, MREMAP_MAYMOVE)));
  fact("remove of private", error_of(madvise(private, PAGE, MADV_REMOVE)));
  munmap(private, 2 * PAGE);

  int zero = open("/dev/zero", O_RDWR);
  char* of_zero = map_file(zero, 2, PROT_READ | PROT_WRITE, MAP_SHARED);
  fact("/dev/zero shared", map_error(of_zero));
  of_zero[PAGE] = 5;
  char* view = mremap(of_zero, 0, 2 * PAGE, MREMAP_MAYMOVE);
  fact("its other view", view[PAGE]);
  close(zero);
}

static void views_of_a_file(void) {
  int file = memfd_create("views", MFD_CLOEXEC);
  fact("truncate", error_of(ftruncate(file, 3 * PAGE + 100)));
  char* one = map_file(file, 4, PROT_READ | PROT_WRITE, MAP_SHARED);
  char* two = map_file(file, 4, PROT_READ, MAP_SHARED);
  char* private = map_file(file, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  strcpy(one, "written in memory");
  char text[32] = {0};
  fact("pread", pread(file, text, 18, 0));
  printf("read: %s, seen: %s, private: %s\n", text, two, private);
  fact("pwrite", pwrite(file, "by a call", 9, 0));
  printf("seen: %s, private: %s\n", two, private);
  strcpy(private, "own");
  strcpy(one + 8, "changed");
  printf("seen: %s, private: %s\n", two, private);
  printf("private page that nobody wrote: %d\n", private[PAGE]);
  one[PAGE] = 'y';
  printf("follows the file: %c\n", private[PAGE]);
  madvise(private, PAGE, MADV_DONTNEED);
  printf("own copy dropped: %s\n", private);
  touch("write to the read-only view", two, 1);
  fact("make it writable", error_of(mprotect(two, 4 * PAGE, PROT_READ | PROT_WRITE)));
  two[2 * PAGE] = 'z';
  printf("through one: %c\n", one[2 * PAGE]);
  fact("msync", error_of(msync(one, 4 * PAGE, MS_SYNC)));
  fact("msync async and sync", error_of(msync(one, 4 * PAGE, MS_SYNC | MS_ASYNC)));
  unsigned char resident[4];
  fact("mincore", error_of(mincore(one, 4 * PAGE, resident)));
  printf("resident: %d%d%d%d\n", resident[0] & 1, resident[1] & 1, resident[2] & 1, resident[3] & 1);

  fact("behind the end, in its page", one[3 * PAGE + 200]);
  one[3 * PAGE + 200] = 1;
  fact("cut", error_of(ftruncate(file, PAGE + 10)));
  touch("cut off, shared", one + 2 * PAGE, 0);
  touch("cut off, private", private + 2 * PAGE, 0);
  one[PAGE + 20] = 1;  // behind the end: never seen by anybody
  fact("grown", error_of(ftruncate(file, 4 * PAGE)));
  fact("zero again", one[2 * PAGE]);
  fact("zero behind the old end", pread(file, text, 1, PAGE + 20) == 1 && text[0] == 0);
  private[2 * PAGE] = 'p';
  fact("cut again", error_of(ftruncate(file, PAGE)));
  touch("an own copy goes with the file", private + 2 * PAGE, 0);
  ftruncate(file, 4 * PAGE);
  fact("and is zero later", private[2 * PAGE]);
  close(file);
  strcpy(one, "without a descriptor");
  printf("seen: %s\n", two);
}

static void rights(void) {
  const char* path = "/dev/shm/mortem-abi-rights";
  unlink(path);
  int file = open(path, O_RDWR | O_CREAT, 0600);
  ftruncate(file, PAGE);
  int reader = open(path, O_RDONLY), writer = open(path, O_WRONLY);
  fact("shared, writable, of a reader", map_error(map_file(reader, 1, PROT_READ | PROT_WRITE, MAP_SHARED)));
  char* view = map_file(reader, 1, PROT_READ, MAP_SHARED);
  fact("shared of a reader", map_error(view));
  fact("later writable", error_of(mprotect(view, PAGE, PROT_READ | PROT_WRITE)));
  fact("private of a reader", map_error(map_file(reader, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE)));
  fact("of a writer", map_error(map_file(writer, 1, PROT_READ, MAP_SHARED)));
  fact("offset that is no page's", map_error(mmap(0, PAGE, PROT_READ, MAP_SHARED, file, 100)));
  fact("offset behind the end", map_error(mmap(0, PAGE, PROT_READ, MAP_SHARED, file, 8 * PAGE)));
  fact("unlink", error_of(unlink(path)));
  char* still = map_file(file, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
  strcpy(still, "without a name");
  printf("seen: %s\n", view);
}

static int* word;
static void* waiter(void* argument) {
  (void)argument;
  long result = syscall(SYS_futex, word, FUTEX_WAIT, 1, 0, 0, 0);
  return (void*)(result < 0 ? (long)errno : 0);
}

// A futex in shared memory is one futex, whatever the address.
static void futex_at_two_addresses(void) {
  int file = memfd_create("futex", 0);
  ftruncate(file, PAGE);
  word = map_file(file, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
  int* other = map_file(file, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
  *other = 1;
  pthread_t thread;
  pthread_create(&thread, 0, waiter, 0);
  long woken = 0;
  for (int round = 0; round < 1000 && woken == 0; ++round) {
    sleep_ms(5);
    woken = syscall(SYS_futex, other, FUTEX_WAKE, 10, 0, 0, 0);
  }
  void* result;
  pthread_join(thread, &result);
  fact("woken", woken);
  fact("waited", (long)result);
}

// Many views of one page, and the memory back afterwards.
static void many_views(void) {
  int file = memfd_create("many", 0);
  ftruncate(file, PAGE);
  long sum = 0;
  static char* views[5000];
  for (int view = 0; view < 5000; ++view) {
    views[view] = map_file(file, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
    ++*views[view];
    sum += *(unsigned char*)views[0];
  }
  fact("sum", sum);
  for (int view = 0; view < 5000; ++view) munmap(views[view], PAGE);
  for (int round = 0; round < 2000; ++round) {
    char* memory = mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      fact("failed in round", round);
      return;
    }
    for (int page = 0; page < 64; ++page) memory[page * PAGE] = 1;
    munmap(memory, 64 * PAGE);
  }
  printf("2000 rounds\n");
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, 0);
  sigaction(SIGBUS, &action, 0);
  anonymous();
  views_of_a_file();
  rights();
  futex_at_two_addresses();
  many_views();
  return 0;
}
