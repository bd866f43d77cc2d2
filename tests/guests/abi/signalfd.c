// signalfd: signals that are read.
// Built with musl too.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"

static void show(const struct signalfd_siginfo* got) {
  printf("signal %u error %d code %d us %d user %u value %d overrun %u\n", got->ssi_signo, got->ssi_errno,
         got->ssi_code, got->ssi_pid == (uint32_t)getpid(), got->ssi_uid, got->ssi_int, got->ssi_overrun);
}
static int readable(int file) {
  struct pollfd entry = {file, POLLIN | POLLOUT, 0};
  poll(&entry, 1, 0);
  return entry.revents;
}
static void* send_late(void* unused) {
  (void)unused;
  sleep_ms(50);
  kill(getpid(), SIGUSR2);
  return NULL;
}
static void on_alarm(int signal) {
  (void)signal;
}

int main(void) {
  sigset_t set, one;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGRTMIN + 1);
  sigaddset(&set, SIGKILL);
  sigprocmask(SIG_BLOCK, &set, NULL);
  const int file = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  fact("made", file >= 0);
  printf("flags %#x, close on exec %d\n", fcntl(file, F_GETFL), fcntl(file, F_GETFD));
  struct signalfd_siginfo got[4];
  fact("nothing", error_of(read(file, got, sizeof got)));
  fact("poll", readable(file));
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR1);
  sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 11});
  sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 12});
  fact("poll", readable(file));
  const long count = read(file, got, sizeof got);
  fact("bytes", count);
  for (long index = 0; index < count / (long)sizeof got[0]; ++index) show(&got[index]);
  fact("poll", readable(file));
  fact("too short", error_of(read(file, got, sizeof got[0] - 1)));
  fact("write", error_of(write(file, got, sizeof got)));
  raise(SIGUSR2);
  fact("one at a time", read(file, got, sizeof got[0] + 5));
  show(got);
  struct stat status;
  fact("fstat", error_of(fstat(file, &status)));
  printf("mode %o\n", status.st_mode);

  // Another set.
  sigemptyset(&one);
  sigaddset(&one, SIGUSR2);
  kill(getpid(), SIGUSR1);
  fact("change", signalfd(file, &one, 0) == file);
  fact("poll", readable(file));
  fact("nothing", error_of(read(file, got, sizeof got)));
  sigset_t pending;
  sigpending(&pending);
  fact("still pending", sigismember(&pending, SIGUSR1));
  signalfd(file, &set, 0);
  fact("now", read(file, got, sizeof got));

  // epoll, a wait, interruption.
  const int epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN, {0}}, events[2];
  fact("epoll", error_of(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event)));
  fact("nothing", epoll_wait(epoll, events, 2, 0));
  kill(getpid(), SIGUSR1);
  fact("ready", epoll_wait(epoll, events, 2, 1000));
  read(file, got, sizeof got);
  fact("nothing", epoll_wait(epoll, events, 2, 0));
  fcntl(file, F_SETFL, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, send_late, NULL);
  fact("waited", read(file, got, sizeof got));
  show(got);
  pthread_join(thread, NULL);
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  ualarm(50000, 0);
  fact("interrupted", error_of(read(file, got, sizeof got)));

  fact("no such file", error_of(signalfd(77, &set, 0)));
  fact("no signalfd", error_of(signalfd(epoll, &set, 0)));
  fact("flags", error_of(signalfd(-1, &set, 1)));
  fact("size", error_of(syscall(SYS_signalfd4, -1, &set, 4, 0)));
  fact("bad pointer", error_of(syscall(SYS_signalfd4, -1, 8, 8, 0)));
  fact("old call", syscall(SYS_signalfd, -1, &set, 8) >= 0);
  return 0;
}
