// epoll: level, edge, one-shot, nested; what closing, duplicates and other threads do to it.
// Built with musl too.
#include "abi.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int add(int epoll, int file, uint32_t events, uint64_t data) {
  struct epoll_event event = {events, {.u64 = data}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event);
}
static int change(int epoll, int file, uint32_t events, uint64_t data) {
  struct epoll_event event = {events, {.u64 = data}};
  return epoll_ctl(epoll, EPOLL_CTL_MOD, file, &event);
}

static void show(int epoll, int timeout, const char* what) {
  struct epoll_event events[8];
  const int count = epoll_wait(epoll, events, 8, timeout);
  printf("%s: %d", what, count < 0 ? -errno : count);
  for (int index = 0; index < count; ++index)
    printf(" [%#x %lx]", events[index].events, (unsigned long)events[index].data.u64);
  puts("");
}

static void level_and_edge(void) {
  int ends[2];
  (void)!pipe2(ends, O_NONBLOCK);
  int level = epoll_create1(0), edge = epoll_create(1), once = epoll_create1(EPOLL_CLOEXEC);
  char bytes[65536];
  add(level, ends[0], EPOLLIN, 0x1234567890abcdef);
  add(edge, ends[0], EPOLLIN | EPOLLET | EPOLLRDHUP, 2);
  add(once, ends[0], EPOLLIN | EPOLLONESHOT, 3);
  show(level, 0, "empty");
  show(level, 20, "empty in a while");
  (void)!write(ends[1], "abcd", 4);
  show(level, -1, "level");
  show(level, -1, "level again");
  show(edge, -1, "edge");
  show(edge, 0, "edge again");
  (void)!read(ends[0], bytes, 2);
  show(edge, 0, "a part was read");
  (void)!write(ends[1], "ef", 2);
  show(edge, 0, "edge after more");
  show(once, 0, "once");
  (void)!write(ends[1], "gh", 2);
  show(once, 0, "once, no more");
  change(once, ends[0], EPOLLIN | EPOLLONESHOT, 33);
  show(once, 0, "once again");
  change(edge, ends[0], EPOLLIN | EPOLLET, 22);
  show(edge, 0, "edge, changed");
  (void)!read(ends[0], bytes, sizeof bytes);
  show(level, 0, "drained");
  add(level, ends[1], EPOLLOUT | EPOLLET, 4);
  show(level, 0, "writable");
  show(level, 0, "writable, an edge");
  while (write(ends[1], bytes, 4096) > 0) {
  }
  (void)!read(ends[0], bytes, 8192);
  show(level, 0, "writable after it was full");
  close(ends[1]);
  show(level, 0, "the writer went");
  show(edge, 0, "edge at the end");
  (void)!read(ends[0], bytes, sizeof bytes);
  show(level, 0, "end of file");
  close(ends[0]);
  show(level, 0, "both closed");
  close(level), close(edge), close(once);
}

static void events_and_timers(void) {
  int epoll = epoll_create1(0), event = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK),
      timer = timerfd_create(CLOCK_MONOTONIC, 0);
  uint64_t number = 2;
  add(epoll, event, EPOLLIN | EPOLLOUT | EPOLLET, 1);
  add(epoll, timer, EPOLLIN, 2);
  show(epoll, 0, "event to write");
  (void)!write(event, &number, 8);
  show(epoll, 0, "event to read");
  (void)!write(event, &number, 8);
  show(epoll, 0, "each write is an edge");
  (void)!read(event, &number, 8);
  show(epoll, 0, "after a read");
  const struct itimerspec in = {{0, 0}, {0, 20000000}};
  timerfd_settime(timer, 0, &in, NULL);
  show(epoll, 10000, "timer");
  show(epoll, 0, "timer again");
  (void)!read(timer, &number, 8);
  show(epoll, 0, "timer read");
  close(epoll), close(event), close(timer);
}

static void duplicates(void) {
  int epoll = epoll_create1(0), event = eventfd(1, 0);
  const int copy = dup(event);
  fact("add", error_of(add(epoll, event, EPOLLIN, 1)));
  fact("again", error_of(add(epoll, event, EPOLLIN, 1)));
  fact("the copy", error_of(add(epoll, copy, EPOLLIN, 2)));
  show(epoll, 0, "twice");
  close(event);
  show(epoll, 0, "one closed");
  printf("delete the closed one: %d\n", error_of(epoll_ctl(epoll, EPOLL_CTL_DEL, event, NULL)));
  const int other = eventfd(1, 0);
  printf("same number %d, add %d\n", other == event, error_of(add(epoll, other, EPOLLIN, 3)));
  show(epoll, 0, "three");
  close(copy);
  show(epoll, 0, "the file is gone");
  const int second = dup(epoll);
  close(epoll);
  show(second, 0, "the copy of the epoll");
  fact("delete", error_of(epoll_ctl(second, EPOLL_CTL_DEL, other, NULL)));
  fact("again", error_of(epoll_ctl(second, EPOLL_CTL_DEL, other, NULL)));
  close(second), close(other);
}

static void order_and_limit(void) {
  int epoll = epoll_create1(0), files[5];
  for (int number = 0; number < 5; ++number) add(epoll, files[number] = eventfd(1, 0), EPOLLIN, (uint64_t)number);
  struct epoll_event events[2];
  for (int round = 0; round < 5; ++round) {
    const int count = epoll_wait(epoll, events, 2, 0);
    printf("%d: %d %d\n", count, (int)events[0].data.u64, (int)events[1].data.u64);
  }
  for (int number = 0; number < 5; ++number) close(files[number]);
  printf("all gone: %d\n", epoll_wait(epoll, events, 2, 0));
  close(epoll);
}

static void nested(void) {
  int inner = epoll_create1(0), outer = epoll_create1(0), event = eventfd(0, EFD_NONBLOCK);
  add(inner, event, EPOLLIN, 1);
  fact("nest", error_of(add(outer, inner, EPOLLIN, 2)));
  fact("itself", error_of(add(inner, inner, EPOLLIN, 2)));
  fact("loop", error_of(add(inner, outer, EPOLLIN, 2)));
  fact("exclusive", error_of(add(outer, inner, EPOLLIN | EPOLLEXCLUSIVE, 2)));
  struct pollfd entry = {outer, POLLIN | POLLOUT, 0};
  printf("poll %d\n", poll(&entry, 1, 0));
  uint64_t number = 1;
  (void)!write(event, &number, 8);
  show(outer, 0, "outer");
  fact("poll", poll(&entry, 1, 0));
  fact("events", entry.revents);
  show(inner, 0, "inner");
  show(outer, 0, "outer still");
  (void)!read(event, &number, 8);
  show(outer, 0, "outer, read");
  printf("poll %d\n", poll(&entry, 1, 0));
  change(outer, inner, EPOLLIN | EPOLLET, 5);
  (void)!write(event, &number, 8);
  show(outer, 0, "outer edge");
  show(inner, 0, "inner level");
  show(outer, 0, "outer edge again");
  close(inner), close(outer);

  int chain[16], length = 0;
  chain[0] = epoll_create1(0);
  add(chain[0], event, EPOLLIN, 1);
  for (int error = 0; error == 0 && length < 15; ++length) {
    chain[length + 1] = epoll_create1(0);
    error = error_of(add(chain[length + 1], chain[length], EPOLLIN, 1));
    printf("level %d: %d\n", length + 1, error != 0);  // EINVAL or ELOOP: Linux changed its mind
  }
  show(chain[length - 1], 0, "the whole chain");
  while (length >= 0) close(chain[length--]);
  close(event);
}

static void errors(void) {
  int epoll = epoll_create1(0), event = eventfd(1, 0), folder = open("/", O_RDONLY | O_DIRECTORY);
  struct epoll_event events[2], *const nowhere = (void*)8;
  fact("no size", error_of(epoll_create(0)));
  fact("bad flags", error_of(epoll_create1(1)));
  fact("folder", error_of(add(epoll, folder, EPOLLIN, 1)));
  fact("null device", error_of(add(epoll, open("/dev/null", O_RDWR), EPOLLIN, 1)));
  fact("path only", error_of(add(epoll, open("/", O_PATH), EPOLLIN, 1)));
  fact("not open", error_of(add(epoll, 99, EPOLLIN, 1)));
  fact("epoll not open", error_of(add(99, event, EPOLLIN, 1)));
  fact("no epoll", error_of(add(event, epoll, EPOLLIN, 1)));
  fact("bad memory", error_of(epoll_ctl(epoll, EPOLL_CTL_ADD, event, nowhere)));
  fact("unknown", error_of(epoll_ctl(epoll, 9, event, events)));
  fact("change what is not there", error_of(change(epoll, event, EPOLLIN, 1)));
  fact("none wanted", error_of(epoll_wait(epoll, events, 0, 0)));
  fact("too many", error_of(syscall(SYS_epoll_wait, epoll, events, 0x7fffffff, 0)));
  fact("wait: no epoll", error_of(epoll_wait(event, events, 1, 0)));
  fact("wait: not open", error_of(epoll_wait(99, events, 1, 0)));
  fact("exclusive", error_of(add(epoll, event, EPOLLIN | EPOLLEXCLUSIVE, 7)));
  fact("changed", error_of(change(epoll, event, EPOLLIN, 7)));
  fact("one-shot", error_of(add(epoll, dup(event), EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 7)));
  fact("bad place", error_of(syscall(SYS_epoll_wait, epoll, nowhere, 1, 0)));
  show(epoll, 0, "after it");
  fact("read", error_of(read(epoll, events, 8)));
  fact("write", error_of(write(epoll, events, 8)));
  close(epoll), close(event), close(folder);
}

static int shared_event, shared_epoll;
static void* add_later(void* unused) {
  sleep_ms(30);
  add(shared_epoll, shared_event, EPOLLIN, 9);
  return unused;
}
static void* write_later(void* unused) {
  sleep_ms(30);
  uint64_t number = 1;
  (void)!write(shared_event, &number, 8);
  return unused;
}
static void* take_one(void* taken) {
  struct epoll_event event;
  for (int count; (count = epoll_wait(shared_epoll, &event, 1, -1)) == 1;) {
    uint64_t number;
    if (read(shared_event, &number, 8) != 8) continue;
    if (__atomic_fetch_add((int*)taken, 1, __ATOMIC_SEQ_CST) + 1 >= 1000) break;
  }
  return NULL;
}

static void threads(void) {
  pthread_t thread, workers[4];
  shared_epoll = epoll_create1(0);
  shared_event = eventfd(1, EFD_NONBLOCK);
  pthread_create(&thread, NULL, add_later, NULL);
  show(shared_epoll, 10000, "added while it waits");
  pthread_join(thread, NULL);
  uint64_t number;
  (void)!read(shared_event, &number, 8);
  pthread_create(&thread, NULL, write_later, NULL);
  show(shared_epoll, 10000, "written while it waits");
  pthread_join(thread, NULL);
  close(shared_event);

  // Four wait for one semaphore of a thousand: each is taken once.
  shared_event = eventfd(1000, EFD_SEMAPHORE | EFD_NONBLOCK);
  int taken = 0;
  add(shared_epoll, shared_event, EPOLLIN | EPOLLEXCLUSIVE, 1);
  for (int index = 0; index < 4; ++index) pthread_create(&workers[index], NULL, take_one, &taken);
  while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < 1000) sched_yield();
  number = 8;
  (void)!write(shared_event, &number, 8);
  for (int index = 0; index < 4; ++index) pthread_join(workers[index], NULL);
  printf("taken by four: at least 1000 %d\n", taken >= 1000 && taken <= 1008);
  close(shared_epoll), close(shared_event);
}

static void on_signal(int number) {
  (void)number;
}

static void masks(void) {
  int epoll = epoll_create1(0);
  struct epoll_event event;
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  signal(SIGUSR1, on_signal);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  raise(SIGUSR1);
  printf("blocked: %d\n", error_of(epoll_wait(epoll, &event, 1, 20)));
  printf("let through: %d\n", error_of(epoll_pwait(epoll, &event, 1, 10000, &none)));
  sigset_t now;
  sigprocmask(SIG_SETMASK, NULL, &now);
  printf("mask is back: %d\n", sigismember(&now, SIGUSR1));
  raise(SIGUSR1);
  struct timespec time = {10, 0};
  printf("pwait2: %d", error_of(syscall(SYS_epoll_pwait2, epoll, &event, 1, &time, &none, 8)));
  time = (struct timespec){0, 20000000};
  const long start = now_ms();
  printf(" %ld\n", syscall(SYS_epoll_pwait2, epoll, &event, 1, &time, NULL, 8));
  fact("in time", now_ms() - start >= 19);
  time.tv_nsec = -1;
  fact("no time", error_of(syscall(SYS_epoll_pwait2, epoll, &event, 1, &time, NULL, 8)));
  printf("size of the mask: %d\n", error_of(syscall(SYS_epoll_pwait, epoll, &event, 1, 0, &none, 4)));
  close(epoll);
}

int main(void) {
  level_and_edge();
  events_and_timers();
  duplicates();
  order_and_limit();
  nested();
  errors();
  threads();
  masks();
  return 0;
}
