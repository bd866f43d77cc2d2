// One thread writes records and syncs each; when it is in the middle of that, the other one reads a null pointer. Once
// that is skipped (in a guest that was resumed from the dump), the first has to go on without an error.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { kRecord = 16384 };
static atomic_int synced, errors;
static int* volatile nowhere;
static int file;

static void* write_and_sync(void* nothing) {
  static char record[kRecord], back[kRecord];
  for (int number = 0;; ++number) {
    memset(record, 'a' + number % 26, kRecord);
    if (pwrite(file, record, kRecord, (off_t)(number % 64) * kRecord) != kRecord || fsync(file) != 0 ||
        pread(file, back, kRecord, (off_t)(number % 64) * kRecord) != kRecord || memcmp(record, back, kRecord) != 0)
      ++errors;
    ++synced;
  }
  return nothing;
}

__attribute__((noinline)) static int crash(void) {
  int value;
  __asm__ volatile("movl (%1), %0\nbehind_the_load:" : "=r"(value) : "r"(nowhere));
  return value;
}

int main(void) {
  file = open("/records", O_RDWR | O_CREAT | O_TRUNC, 0644);
  pthread_t writer;
  pthread_create(&writer, NULL, write_and_sync, NULL);
  while (synced < 40) usleep(500);
  crash();
  const int before = synced;
  while (synced < before + 40) usleep(500);
  printf("synced 40 more, %d errors\n", errors);
  fflush(stdout);
  while (1) pause();
}
