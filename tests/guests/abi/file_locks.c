// flock, record locks of the process and of open files: who stands in whose way.
// Built with musl too.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi.h"

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#define F_OFD_SETLKW 38
#endif

static char path[] = "/tmp/mortem-abi-locks-XXXXXX";
static const char* kTypes[] = {"read", "write", "none"};

static int set(int file, int command, short type, long start, long length) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return error_of(fcntl(file, command, &lock));
}

static void ask(const char* what, int file, int command, short type, long start, long length) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  const int error = error_of(fcntl(file, command, &lock));
  const char* who = lock.l_type == F_UNLCK   ? "nobody"
                    : lock.l_pid == -1       ? "a file"
                    : lock.l_pid == getpid() ? "us"
                                             : "?";
  if (error != 0)
    printf("%s: error %d\n", what, error);
  else
    printf("%s: %s %ld+%ld of %s\n", what, kTypes[lock.l_type], (long)lock.l_start, (long)lock.l_len, who);
}

static void show_flock(void) {
  const int one = open(path, O_RDWR), two = open(path, O_RDONLY), copy = dup(one);
  fact("flock exclusive", error_of(flock(one, LOCK_EX)));
  fact("another file's", error_of(flock(two, LOCK_SH | LOCK_NB)));
  fact("a copy's", error_of(flock(copy, LOCK_EX | LOCK_NB)));
  fact("shared now", error_of(flock(copy, LOCK_SH)));
  fact("another file's", error_of(flock(two, LOCK_SH | LOCK_NB)));
  fact("exclusive", error_of(flock(one, LOCK_EX | LOCK_NB)));
  fact("and the shared one went with it", error_of(flock(two, LOCK_EX | LOCK_NB)));
  fact("unlock", error_of(flock(two, LOCK_UN)));
  fact("exclusive", error_of(flock(one, LOCK_EX | LOCK_NB)));
  close(one);
  fact("one descriptor closed", error_of(flock(two, LOCK_EX | LOCK_NB)));
  close(copy);
  fact("both closed", error_of(flock(two, LOCK_EX | LOCK_NB)));
  fact("record locks are others", set(open(path, O_RDWR), F_SETLK, F_WRLCK, 0, 0));
  fact("nothing", error_of(flock(two, 0)));
  fact("both", error_of(flock(two, LOCK_SH | LOCK_EX)));
  fact("bad descriptor", error_of(flock(99, LOCK_SH)));
#ifdef O_PATH
  fact("O_PATH", error_of(flock(open(path, O_PATH), LOCK_SH)));
#endif
  int ends[2];
  pipe(ends);
  fact("pipe", error_of(flock(ends[0], LOCK_EX)));
  close(two);
}

static void show_records(void) {
  const int one = open(path, O_RDWR), two = open(path, O_RDWR), reader = open(path, O_RDONLY);
  fact("process", set(one, F_SETLK, F_WRLCK, 10, 10));
  fact("process, another file", set(two, F_SETLK, F_WRLCK, 0, 100));
  ask("own locks", one, F_GETLK, F_WRLCK, 0, 0);
  ask("the file's view", one, F_OFD_GETLK, F_RDLCK, 0, 0);
  fact("cut", set(one, F_SETLK, F_UNLCK, 40, 20));
  ask("first part", two, F_OFD_GETLK, F_RDLCK, 0, 0);
  ask("the gap", two, F_OFD_GETLK, F_WRLCK, 40, 20);
  ask("second part", two, F_OFD_GETLK, F_RDLCK, 50, 100);
  fact("reading in the middle", set(one, F_SETLK, F_RDLCK, 10, 5));
  ask("before it", two, F_OFD_GETLK, F_RDLCK, 0, 0);
  ask("it", two, F_OFD_GETLK, F_WRLCK, 12, 1);
  ask("readers agree", two, F_OFD_GETLK, F_RDLCK, 12, 1);
  ask("behind it", two, F_OFD_GETLK, F_RDLCK, 15, 1);
  fact("filled again", set(one, F_SETLK, F_WRLCK, 0, 100));
  ask("one again", two, F_OFD_GETLK, F_RDLCK, 0, 0);
  fact("a file's over it", set(two, F_OFD_SETLK, F_RDLCK, 5, 1));
  close(reader);
  ask("closing any descriptor ends them", two, F_OFD_GETLK, F_WRLCK, 0, 0);

  const int other = open(path, O_RDWR), copy = dup(other);
  fact("a file's", set(other, F_OFD_SETLK, F_WRLCK, 100, 0));
  fact("its copy", set(copy, F_OFD_SETLK, F_WRLCK, 90, 20));
  fact("another's", set(two, F_OFD_SETLK, F_RDLCK, 500, 1));
  fact("the process'", set(two, F_SETLK, F_RDLCK, 500, 1));
  ask("who", two, F_GETLK, F_RDLCK, 500, 1);
  ask("joined", two, F_OFD_GETLK, F_RDLCK, 0, 0);
  close(other);
  ask("still", two, F_OFD_GETLK, F_RDLCK, 0, 0);
  close(copy);
  ask("gone", two, F_OFD_GETLK, F_RDLCK, 0, 0);

  const int read_only = open(path, O_RDONLY), write_only = open(path, O_WRONLY);
  fact("writing lock of a reader", set(read_only, F_SETLK, F_WRLCK, 0, 1));
  fact("reading lock of a writer", set(write_only, F_SETLK, F_RDLCK, 0, 1));
  fact("no type", set(one, F_SETLK, 7, 0, 1));
  fact("before the file", set(one, F_SETLK, F_WRLCK, -1, 1));
  fact("backwards", set(one, F_SETLK, F_WRLCK, 10, -5));
  ask("backwards", two, F_OFD_GETLK, F_RDLCK, 0, 0);
  fact("backwards too far", set(one, F_SETLK, F_WRLCK, 3, -5));
  fact("too long", set(one, F_SETLK, F_WRLCK, 0x7000000000000000, 0x7000000000000000));
  ask("asking for none", one, F_GETLK, F_UNLCK, 0, 0);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -3, .l_len = 3};
  fact("from the end", error_of(fcntl(one, F_SETLK, &lock)));
  ask("from the end", two, F_OFD_GETLK, F_RDLCK, 0, 0);
  lseek(one, 7, SEEK_SET);
  lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 1, .l_len = 1};
  fact("from here", error_of(fcntl(one, F_SETLK, &lock)));
  ask("from here", two, F_OFD_GETLK, F_RDLCK, 8, 1);
  lock = (struct flock){.l_type = F_WRLCK, .l_whence = 9};
  fact("whence", error_of(fcntl(one, F_SETLK, &lock)));
  lock = (struct flock){.l_type = F_WRLCK, .l_pid = 5};
  fact("a file's with a process", error_of(fcntl(one, F_OFD_SETLK, &lock)));
  void* volatile nowhere = (void*)8;
  fact("bad address", error_of(fcntl(one, F_SETLK, nowhere)));
  fact("bad descriptor", set(99, F_SETLK, F_WRLCK, 0, 1));
}

static int waiting_file;
static void* wait_for_lock(void* result) {
  *(int*)result = set(waiting_file, F_OFD_SETLKW, F_WRLCK, 0, 0);
  return NULL;
}
static void* wait_for_flock(void* result) {
  *(int*)result = error_of(flock(waiting_file, LOCK_EX));
  return NULL;
}
static void on_signal(int signal) {
  (void)signal;
}

// Long enough for the thread to wait; were it not yet, the answers would be the same.
static void show_waiting(void* (*wait)(void*), const char* what) {
  const int holder = open(path, O_RDWR);
  waiting_file = open(path, O_RDWR);
  const int is_flock = wait == wait_for_flock;
  if (is_flock)
    flock(holder, LOCK_SH);
  else
    set(holder, F_OFD_SETLK, F_RDLCK, 0, 0);
  int result = -1;
  pthread_t thread;
  pthread_create(&thread, NULL, wait, &result);
  sleep_ms(20);
  printf("%s waits: %d\n", what, result);
  close(holder);
  pthread_join(thread, NULL);
  printf("%s is granted: %d\n", what, result);
  const int next = open(path, O_RDWR);
  fact("and held", is_flock ? error_of(flock(next, LOCK_SH | LOCK_NB)) : set(next, F_OFD_SETLK, F_RDLCK, 0, 0));
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGALRM, &action, NULL);
  const int waiter = waiting_file;
  waiting_file = next;
  alarm(1);
  wait(&result);
  fact("interrupted", result);
  close(waiter);
  close(next);
}

int main(void) {
  close(mkstemp(path));
  truncate(path, 1000);
  show_flock();
  show_records();
  show_waiting(wait_for_lock, "a record lock");
  show_waiting(wait_for_flock, "flock");
  unlink(path);
  return 0;
}
