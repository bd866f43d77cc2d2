// eventfd: the number, the semaphore, what waits for it.
#include "abi.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t number;

static void show(int file, const char* when) {
  struct pollfd entry = {file, POLLIN | POLLOUT, 0};
  const int count = poll(&entry, 1, 0);
  printf("%s: poll %d %#x\n", when, count, (unsigned)entry.revents);
}

static long add(int file, uint64_t value) {
  return write(file, &value, sizeof value);
}

static void* add_later(void* file) {
  sleep_ms(30);
  add(*(int*)file, 5);
  return NULL;
}
static void* take_later(void* file) {
  sleep_ms(30);
  uint64_t taken;
  (void)!read(*(int*)file, &taken, sizeof taken);
  return NULL;
}

int main(void) {
  int file = eventfd(3, EFD_NONBLOCK);
  show(file, "three");
  printf("read: %zd", read(file, &number, 8));
  printf(" %lu\n", (unsigned long)number);
  show(file, "zero");
  printf("empty: %d\n", error_of(read(file, &number, 8)));
  char bytes[16];
  fact("short read", error_of(read(file, bytes, 7)));
  fact("short write", error_of(write(file, bytes, 7)));
  printf("too high: %d\n", error_of(add(file, UINT64_MAX)));
  printf("zero added: %ld\n", add(file, 0));
  show(file, "still zero");
  printf("highest: %ld\n", add(file, UINT64_MAX - 1));
  show(file, "full");
  fact("one more", error_of(add(file, 1)));
  fact("none more", add(file, 0));
  memset(bytes, 0, sizeof bytes);
  printf("long read: %zd\n", read(file, bytes, sizeof bytes));
  fact("lseek", lseek(file, 5, SEEK_SET));
  struct stat status;
  fstat(file, &status);
  printf("mode %o, links %ld, size %ld\n", status.st_mode, (long)status.st_nlink, (long)status.st_size);
  printf("flags %#x\n", fcntl(file, F_GETFL));
  close(file);

  file = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
  printf("close on exec %d\n", fcntl(file, F_GETFD));
  for (int round = 0; round < 3; ++round) {
    number = 77;
    long result = read(file, &number, 8);
    printf("semaphore: %d %lu\n", error_of(result), (unsigned long)number);
  }
  close(file);
  printf("bad flags: %d\n", error_of(eventfd(0, 0x10000)));

  file = eventfd(0, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, add_later, &file);
  printf("waited: %zd", read(file, &number, 8));
  printf(" %lu\n", (unsigned long)number);
  pthread_join(thread, NULL);
  pthread_create(&thread, NULL, add_later, &file);
  struct pollfd entry = {file, POLLIN, 0};
  fact("poll", poll(&entry, 1, 10000));
  fact("events", entry.revents);
  pthread_join(thread, NULL);
  add(file, UINT64_MAX - 10);
  pthread_create(&thread, NULL, take_later, &file);
  printf("waited for room: %ld\n", add(file, 9));
  pthread_join(thread, NULL);
  printf("then: %zd", read(file, &number, 8));
  printf(" %lu\n", (unsigned long)number);
  return 0;
}
