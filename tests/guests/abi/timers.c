// timer_create and setitimer: clocks, notifications, overruns.
#include "abi.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static struct itimerspec setting(long value_ms, long interval_ms) {
  return (struct itimerspec){timespec_of_ms(interval_ms), timespec_of_ms(value_ms)};
}
static long ms(struct timespec time) {
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static atomic_int came, last_code, last_value, last_overrun, last_thread;
static void on_signal(int number, siginfo_t* information, void* context) {
  (void)number, (void)context;
  atomic_store(&last_code, information->si_code);
  atomic_store(&last_value, information->si_value.sival_int);
  atomic_store(&last_overrun, information->si_overrun);
  atomic_store(&last_thread, gettid());
  atomic_fetch_add(&came, 1);
}

static void handle(int number) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(number, &action, NULL);
}

// The C library keeps its own numbers; the kernel's are asked here.
static int create(clockid_t clock, struct sigevent* event, int* timer) {
  return (int)syscall(SYS_timer_create, clock, event, timer);
}
static int set(int timer, int flags, struct itimerspec in, struct itimerspec* out) {
  return (int)syscall(SYS_timer_settime, timer, flags, &in, out);
}
static int get(int timer, struct itimerspec* out) {
  return (int)syscall(SYS_timer_gettime, timer, out);
}
static int overrun(int timer) {
  return (int)syscall(SYS_timer_getoverrun, timer);
}
static int destroy(int timer) {
  return (int)syscall(SYS_timer_delete, timer);
}

// Passes CPU time until `count` signals came, at most ten seconds of it.
static void spin_until(int count) {
  const long start = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
  while (atomic_load(&came) < count && clock_ms(CLOCK_PROCESS_CPUTIME_ID) - start < 10000) {
  }
}
static void sleep_until_came(int count) {
  const long start = now_ms();
  while (atomic_load(&came) < count && now_ms() - start < 10000) sleep_ms(2);
}

static void by_signal(clockid_t clock) {
  printf("clock %d\n", (int)clock);
  handle(SIGRTMIN + 1);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 42};
  int timer = -1;
  struct itimerspec out = setting(7, 7);
  fact("create", create(clock, &event, &timer));
  get(timer, &out);
  printf("off: %ld %ld\n", ms(out.it_value), ms(out.it_interval));
  atomic_store(&came, 0);
  const long start = clock_ms(clock);
  fact("set", set(timer, 0, setting(20, 0), &out));
  get(timer, &out);
  fact("left", ms(out.it_value) <= 20 && (out.it_value.tv_sec > 0 || out.it_value.tv_nsec > 0));
  const int uses_cpu = clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
  uses_cpu ? spin_until(1) : sleep_until_came(1);
  printf("came %d, code %d, value %d, overrun %d\n", came, last_code, last_value, last_overrun);
  fact("not early", clock_ms(clock) - start >= 19);
  get(timer, &out);
  printf("off again: %ld %ld\n", ms(out.it_value), ms(out.it_interval));

  atomic_store(&came, 0);
  set(timer, TIMER_ABSTIME, (struct itimerspec){timespec_of_ms(10), timespec_of_ms(clock_ms(clock) + 10)}, NULL);
  uses_cpu ? spin_until(3) : sleep_until_came(3);
  fact("three", came >= 3);
  fact("stop", set(timer, 0, setting(0, 0), &out));
  printf("it was %ld\n", ms(out.it_interval));
  fact("delete", destroy(timer));
  fact("delete again", error_of(destroy(timer)));
}

static void overruns(void) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  int timer = -1;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 5};
  create(CLOCK_MONOTONIC, &event, &timer);
  set(timer, 0, setting(10, 10), NULL);
  sleep_ms(105);
  struct itimerspec out;
  get(timer, &out);
  fact("left of the next", ms(out.it_value) <= 10);
  siginfo_t information;
  printf("signal %d", sigwaitinfo(&blocked, &information));
  printf(" code %d value %d, missed at least 8 %d, asked later the same %d\n", information.si_code,
         information.si_value.sival_int, information.si_overrun >= 8, overrun(timer) == information.si_overrun);
  set(timer, 0, setting(0, 0), NULL);

  // A signal of another sender stands beside the timer's.
  kill(getpid(), SIGUSR1);
  set(timer, 0, setting(1, 0), NULL);
  sleep_ms(30);
  const struct timespec none = {0, 0};
  int from_kill = 0, from_timer = 0;
  while (sigtimedwait(&blocked, &information, &none) == SIGUSR1)
    information.si_code == SI_USER ? ++from_kill : ++from_timer;
  printf("from kill %d, from the timer %d\n", from_kill, from_timer);
  destroy(timer);

  // Deleted while its signal waits.
  create(CLOCK_MONOTONIC, &event, &timer);
  set(timer, 0, setting(1, 0), NULL);
  sigset_t pending;
  do sigpending(&pending);
  while (!sigismember(&pending, SIGUSR1));
  fact("delete", destroy(timer));
  signal(SIGUSR1, SIG_IGN);
  sigpending(&pending);
  fact("ignored: pending", sigismember(&pending, SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &blocked, NULL);

  // A signal that is ignored for a while.
  event.sigev_signo = SIGUSR2;
  signal(SIGUSR2, SIG_IGN);
  create(CLOCK_MONOTONIC, &event, &timer);
  set(timer, 0, setting(5, 5), NULL);
  sleep_ms(30);
  atomic_store(&came, 0);
  handle(SIGUSR2);
  sleep_until_came(2);
  fact("after it was ignored", came >= 2);
  destroy(timer);
}

static sem_t ready, leave;
static int other_thread;
static void* wait_in_thread(void* unused) {
  other_thread = gettid();
  sem_post(&ready);
  while (sem_wait(&leave) != 0) {
  }
  return unused;
}

static void to_threads(void) {
  sem_init(&ready, 0, 0);
  sem_init(&leave, 0, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, wait_in_thread, NULL);
  sem_wait(&ready);
  handle(SIGRTMIN + 2);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 6};
  event._sigev_un._tid = other_thread;
  int timer = -1;
  fact("create", create(CLOCK_MONOTONIC, &event, &timer));
  atomic_store(&came, 0);
  set(timer, 0, setting(5, 5), NULL);
  sleep_until_came(3);
  fact("in that thread", last_thread == other_thread);
  sem_post(&leave);
  pthread_join(thread, NULL);
  sleep_ms(20);
  struct itimerspec out;
  fact("its thread is gone: get", error_of(get(timer, &out)));
  fact("delete", destroy(timer));
  fact("no such thread", error_of(create(CLOCK_MONOTONIC, &event, &timer)));

  // The library's own thread.
  event = (struct sigevent){.sigev_notify = SIGEV_NONE};
  fact("silent", create(CLOCK_MONOTONIC, &event, &timer));
  set(timer, 0, setting(5, 0), NULL);
  sleep_ms(20);
  get(timer, &out);
  printf("silent, later: %ld %ld\n", out.it_value.tv_sec, out.it_value.tv_nsec);
  set(timer, 0, setting(5, 1000000), NULL);
  sleep_ms(20);
  get(timer, &out);
  fact("silent, the next", ms(out.it_value) > 900000 && ms(out.it_value) <= 1000000);
  fact("overrun", overrun(timer));
  destroy(timer);
}

static atomic_int notified;
static void notify(union sigval value) {
  atomic_fetch_add(&notified, value.sival_int);
}

static void by_library(void) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify, .sigev_value.sival_int = 1};
  timer_t timer;
  fact("create", timer_create(CLOCK_REALTIME, &event, &timer));
  struct itimerspec in = setting(5, 5);
  timer_settime(timer, 0, &in, NULL);
  const long start = now_ms();
  while (atomic_load(&notified) < 3 && now_ms() - start < 10000) sleep_ms(2);
  fact("notified", notified >= 3);
  fact("delete", timer_delete(timer));
}

static void errors(void) {
  int timer = -1;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
  fact("no such signal", error_of(create(CLOCK_MONOTONIC, &event, &timer)));
  event.sigev_signo = 0;
  fact("signal 0", error_of(create(CLOCK_MONOTONIC, &event, &timer)));
  event.sigev_notify = 77;
  fact("no such notification", error_of(create(CLOCK_MONOTONIC, &event, &timer)));
  fact("no such clock", error_of(create(55, NULL, &timer)));
  fact("raw clock", error_of(create(CLOCK_MONOTONIC_RAW, NULL, &timer)));
  fact("nowhere", error_of(create(CLOCK_MONOTONIC, NULL, (void*)8)));
  fact("default", error_of(create(CLOCK_MONOTONIC, NULL, &timer)));
  struct itimerspec in = setting(1, 0);
  in.it_value.tv_nsec = -1;
  fact("no time", error_of(set(timer, 0, in, NULL)));
  fact("no setting", error_of(syscall(SYS_timer_settime, timer, 0, NULL, NULL)));
  fact("no timer", error_of(set(timer + 1000, 0, setting(1, 0), NULL)));
  fact("get: no timer", error_of(get(timer + 1000, &in)));
  fact("overrun: no timer", error_of(overrun(timer + 1000)));
  handle(SIGALRM);
  atomic_store(&came, 0);
  set(timer, 0, setting(1, 0), NULL);
  sleep_until_came(1);
  printf("default signal came %d, value is its number %d\n", came, last_value == timer);
  destroy(timer);
}

static void interval(int which, int number) {
  printf("interval timer %d\n", which);
  handle(number);
  atomic_store(&came, 0);
  struct itimerval in = {{0, 10000}, {0, 20000}}, out = {{9, 9}, {9, 9}};
  const clockid_t clock = which == ITIMER_REAL ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
  const long start = clock_ms(clock);
  fact("set", setitimer(which, &in, &out));
  printf("it was %ld %ld %ld %ld\n", (long)out.it_value.tv_sec, (long)out.it_value.tv_usec,
         (long)out.it_interval.tv_sec, (long)out.it_interval.tv_usec);
  spin_until(1);
  // A tick is ten milliseconds at worst.
  fact("not early", clock_ms(clock) - start >= 10);
  printf("code %d\n", last_code);
  spin_until(4);
  fact("four", came >= 4);
  getitimer(which, &out);
  printf("interval %ld, left %d\n", (long)out.it_interval.tv_usec,
         out.it_value.tv_sec == 0 && out.it_value.tv_usec > 0);
  in = (struct itimerval){{0, 0}, {0, 0}};
  setitimer(which, &in, NULL);
  getitimer(which, &out);
  printf("off %ld %ld\n", (long)out.it_value.tv_usec, (long)out.it_interval.tv_usec);
  in.it_value.tv_usec = 1000000;
  fact("no time", error_of(setitimer(which, &in, NULL)));
}

int main(void) {
  by_signal(CLOCK_REALTIME);
  by_signal(CLOCK_MONOTONIC);
  by_signal(CLOCK_BOOTTIME);
  by_signal(CLOCK_PROCESS_CPUTIME_ID);
  by_signal(CLOCK_THREAD_CPUTIME_ID);
  overruns();
  to_threads();
  by_library();
  errors();
  interval(ITIMER_REAL, SIGALRM);
  interval(ITIMER_VIRTUAL, SIGVTALRM);
  interval(ITIMER_PROF, SIGPROF);
  struct itimerval out;
  fact("no such timer", error_of(syscall(SYS_getitimer, 3, &out)));

  // CPU time stands still while everybody sleeps.
  atomic_store(&came, 0);
  const struct itimerval in = {{0, 0}, {0, 50000}};
  setitimer(ITIMER_PROF, &in, NULL);
  sleep_ms(200);
  fact("asleep", came);
  spin_until(1);
  fact("awake", came);
  return 0;
}
