// Blocking calls that another thread interrupts: with SA_RESTART, without, and by a signal that is ignored. What each
// returns, whether it went on, and that the whole took its time and no longer (musl's sigtimedwait begins again).
// Built with musl too.
// Waits most of its time.
#include "abi.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { kTime = 180, kInterruptAt = 60, kAnswerAt = 120 };  // milliseconds

static int answer_pipe[2], full_pipe[2], event, full_event, epoll, timer;
static uint32_t word;
static sem_t semaphore;
static struct timespec rest;
static char bytes[65536];

static long with_error(long result) {
  return result < 0 ? -errno : result;
}
static struct timespec after(clockid_t clock, long ms) {
  return timespec_of_ms(clock_ms(clock) + ms);
}

// Those that somebody answers.
static long read_pipe(void) {
  return with_error(read(answer_pipe[0], bytes, 1));
}
static long write_pipe(void) {
  return with_error(write(full_pipe[1], bytes, 1));
}
static long read_event(void) {
  return with_error(read(event, bytes, 8));
}
static long write_event(void) {
  const uint64_t one = 1;
  return with_error(write(full_event, &one, 8));
}
static long wait_futex(void) {
  return with_error(syscall(SYS_futex, &word, FUTEX_WAIT, 1, NULL, NULL, 0));
}
static long wait_semaphore(void) {
  return with_error(sem_wait(&semaphore));
}
static long poll_for_ever(void) {
  struct pollfd entry = {answer_pipe[0], POLLIN, 0};
  return with_error(poll(&entry, 1, -1));
}
static long epoll_for_ever(void) {
  struct epoll_event found;
  return with_error(epoll_wait(epoll, &found, 1, -1));
}

// Those that end by their time.
static long sleep_relative(void) {
  const struct timespec time = timespec_of_ms(kTime);
  rest = timespec_of_ms(0);
  return with_error(nanosleep(&time, &rest));
}
static long sleep_absolute(void) {
  const struct timespec time = after(CLOCK_MONOTONIC, kTime);
  return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}
static long sleep_by_wall_clock(void) {
  const struct timespec time = timespec_of_ms(kTime);
  return -clock_nanosleep(CLOCK_REALTIME, 0, &time, NULL);
}
static long wait_futex_for(void) {
  const struct timespec time = timespec_of_ms(kTime);
  return with_error(syscall(SYS_futex, &word, FUTEX_WAIT, 1, &time, NULL, 0));
}
static long wait_futex_until(void) {
  const struct timespec time = after(CLOCK_MONOTONIC, kTime);
  return with_error(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 1, &time, NULL, ~0u));
}
static long poll_for(void) {
  struct pollfd entry = {answer_pipe[0], POLLIN, 0};
  return with_error(poll(&entry, 1, kTime));
}
static long ppoll_for(void) {
  struct timespec time = timespec_of_ms(kTime);
  sigset_t none;
  sigemptyset(&none);
  return with_error(syscall(SYS_ppoll, NULL, 0, &time, &none, 8));
}
static long select_for(void) {
  struct timeval time = {0, kTime * 1000};
  return with_error(select(0, NULL, NULL, NULL, &time));
}
static long pselect_for(void) {
  struct timespec time = timespec_of_ms(kTime);
  return with_error(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &time, NULL));
}
static long epoll_for(void) {
  struct epoll_event found;
  return with_error(epoll_wait(epoll, &found, 1, kTime));
}
static long epoll_masked_for(void) {
  struct epoll_event found;
  sigset_t none;
  sigemptyset(&none);
  return with_error(epoll_pwait(epoll, &found, 1, kTime, &none));
}
static long wait_signal_for(void) {
  const struct timespec time = timespec_of_ms(kTime);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 5);
  return with_error(sigtimedwait(&set, NULL, &time));
}
static long wait_semaphore_until(void) {
  const struct timespec time = after(CLOCK_REALTIME, kTime);
  return with_error(sem_timedwait(&semaphore, &time));
}
static long read_timer(void) {
  const struct itimerspec in = {{0, 0}, timespec_of_ms(kTime)};
  uint64_t count = 0;
  timerfd_settime(timer, 0, &in, NULL);
  return with_error(read(timer, &count, 8));
}

enum Way { kRestart, kNoRestart, kIgnored, kWays };
static const char* const kWayNames[] = {"SA_RESTART", "no SA_RESTART", "ignored"};

static int sleeper;
static long begin;
static atomic_int handled, started;
static atomic_long handled_at;
static void on_signal(int number) {
  (void)number;
  atomic_fetch_add(&handled, 1);
  atomic_store(&handled_at, now_ms() - begin);
}

static void until(long ms) {
  while (now_ms() < begin + ms) sleep_ms(1);
}
static int answers;
static long sent_at;
static void* interrupt(void* unused) {
  while (!atomic_load(&started)) sched_yield();
  until(kInterruptAt);
  syscall(SYS_tgkill, getpid(), sleeper, SIGUSR1);
  sent_at = now_ms() - begin;
  if (answers) {
    until(kAnswerAt);
    const uint64_t one = 1;
    (void)!write(answer_pipe[1], "!", 1);
    (void)!read(full_pipe[0], bytes, 4096);
    (void)!write(event, &one, 8);
    (void)!read(full_event, bytes, 8);
    word = 2;
    syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
    sem_post(&semaphore);
  }
  return unused;
}

static void reset(void) {
  struct pollfd entry = {answer_pipe[0], POLLIN, 0};
  if (poll(&entry, 1, 0) > 0) (void)!read(answer_pipe[0], bytes, 100);
  while (entry.fd = full_pipe[0], poll(&entry, 1, 0) > 0) (void)!read(full_pipe[0], bytes, sizeof bytes);
  while (entry.fd = full_pipe[1], entry.events = POLLOUT, poll(&entry, 1, 0) > 0)
    (void)!write(full_pipe[1], bytes, 4096);
  entry.fd = event, entry.events = POLLIN;
  if (poll(&entry, 1, 0) > 0) (void)!read(event, bytes, 8);
  const uint64_t full = UINT64_MAX - 1;
  entry.fd = full_event;
  if (poll(&entry, 1, 0) > 0) (void)!read(full_event, bytes, 8);
  (void)!write(full_event, &full, 8);
  while (sem_trywait(&semaphore) == 0) {
  }
  word = 1;
}

struct Outcome {
  long result, took;
  int handled;
};
static struct Outcome attempt(long (*function)(void), enum Way way) {
  struct sigaction action = {.sa_handler = way == kIgnored ? SIG_IGN : on_signal,
                             .sa_flags = way == kRestart ? SA_RESTART : 0};
  sigaction(SIGUSR1, &action, NULL);
  reset();
  atomic_store(&handled, 0);
  atomic_store(&handled_at, 0);
  atomic_store(&started, 0);
  sleeper = gettid();
  pthread_t thread;
  pthread_create(&thread, NULL, interrupt, NULL);
  begin = now_ms();
  atomic_store(&started, 1);
  struct Outcome outcome = {.result = function()};
  outcome.took = now_ms() - begin;
  pthread_join(thread, NULL);
  outcome.handled = atomic_load(&handled);
  return outcome;
}

static void call(const char* name, long (*function)(void), int is_answered) {
  enum { kSlack = 50, kAttempts = 20 };
  const long whole = is_answered ? kAnswerAt : kTime;
  answers = is_answered;
  for (enum Way way = 0; way < kWays; ++way) {
    // On a machine that is busy a thread may come too late for what is to be seen: then it is tried again.
    struct Outcome outcome;
    int late = 1;
    for (int count = 0; late && count < kAttempts; ++count) {
      outcome = attempt(function, way);
      late = sent_at > kInterruptAt + kSlack || atomic_load(&handled_at) > kInterruptAt + kSlack ||
             outcome.took > (outcome.result == -EINTR ? kInterruptAt : whole) + kSlack;
    }
    const long least = outcome.result == -EINTR ? kInterruptAt : whole;
    printf("%s, %s: %ld, handled %d, early %d, late %d\n", name, kWayNames[way], outcome.result, outcome.handled,
           outcome.took < least - 3, late);
    if (function == sleep_relative)
      printf("rest %d\n", outcome.result == -EINTR ? rest.tv_sec == 0 && rest.tv_nsec > 60000000 &&
                                                         rest.tv_nsec <= (kTime - kInterruptAt + 1) * 1000000
                                                   : rest.tv_sec == 0 && rest.tv_nsec == 0);
  }
}

int main(void) {
  (void)!pipe(answer_pipe), (void)!pipe(full_pipe);
  event = eventfd(0, 0), full_event = eventfd(0, 0);
  epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
  sem_init(&semaphore, 0, 0);
  struct epoll_event wanted = {EPOLLIN, {0}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, answer_pipe[0], &wanted);
  call("read of a pipe", read_pipe, 1);
  call("write of a full pipe", write_pipe, 1);
  call("read of an eventfd", read_event, 1);
  call("write of a full eventfd", write_event, 1);
  call("futex", wait_futex, 1);
  call("sem_wait", wait_semaphore, 1);
  call("poll for ever", poll_for_ever, 1);
  call("epoll_wait for ever", epoll_for_ever, 1);
  call("nanosleep", sleep_relative, 0);
  call("clock_nanosleep, absolute", sleep_absolute, 0);
  call("clock_nanosleep, wall clock", sleep_by_wall_clock, 0);
  call("futex with a time", wait_futex_for, 0);
  call("futex with an end", wait_futex_until, 0);
  call("poll", poll_for, 0);
  call("ppoll", ppoll_for, 0);
  call("select", select_for, 0);
  call("pselect", pselect_for, 0);
  call("epoll_wait", epoll_for, 0);
  call("epoll_pwait", epoll_masked_for, 0);
  call("sigtimedwait", wait_signal_for, 0);
  call("sem_timedwait", wait_semaphore_until, 0);
  call("read of a timerfd", read_timer, 0);
  return 0;
}
