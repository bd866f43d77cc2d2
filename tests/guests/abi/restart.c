// Calls that a signal interrupts: which go on, which end, and when.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int alarms;
static int answer_pipe[2], answer_at = -1;
static void on_alarm(int signal) {
  (void)signal;
  if (++alarms == answer_at) (void)!write(answer_pipe[1], "!", 1);
}

static void handle(int flags) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
  sigaction(SIGALRM, &action, 0);
  alarms = 0;
}

static void timer(long first_ms, long every_ms) {
  struct itimerval value = {{0, every_ms * 1000}, {0, first_ms * 1000}};
  setitimer(ITIMER_REAL, &value, 0);
}

static long now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static const char* error_of(long result) { return result < 0 ? strerrorname_np(errno) : "fine"; }

int main(void) {
  (void)!pipe(answer_pipe);
  struct timespec time = {0, 300000000}, rest = {9, 9};
  long start;

  for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
    printf("with %s\n", flags ? "SA_RESTART" : "no SA_RESTART");
    handle(flags);
    timer(50, 0);
    start = now_ms();
    long result = nanosleep(&time, &rest);
    printf("nanosleep: %s, early %d, rest %d\n", error_of(result), now_ms() - start < 290,
           rest.tv_sec == 0 && rest.tv_nsec > 100000000 && rest.tv_nsec < 300000000);

    handle(flags);
    answer_at = 3;
    timer(20, 20);
    char byte = 0;
    result = read(answer_pipe[0], &byte, 1);
    timer(0, 0);
    printf("read: %s, got %d\n", error_of(result), byte);
    if (result < 0) {
      struct pollfd drain = {answer_pipe[0], POLLIN, 0};
      if (poll(&drain, 1, 0) > 0) (void)!read(answer_pipe[0], &byte, 1);
    }
    answer_at = -1;

    handle(flags);
    timer(50, 0);
    struct pollfd entry = {answer_pipe[0], POLLIN, 0};
    printf("poll: %s\n", error_of(poll(&entry, 1, 300)));
    handle(flags);
    timer(50, 0);
    struct timeval wait = {0, 300000};
    printf("select: %s\n", error_of(select(0, 0, 0, 0, &wait)));
    handle(flags);
    timer(50, 0);
    printf("pause: %s\n", error_of(pause()));
  }

  signal(SIGALRM, SIG_IGN);
  timer(50, 0);
  start = now_ms();
  printf("ignored: nanosleep %s, whole %d\n", error_of(nanosleep(&time, 0)), now_ms() - start >= 299);

  struct timespec deadline;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_nsec += 100000000;
  if (deadline.tv_nsec >= 1000000000) deadline.tv_nsec -= 1000000000, deadline.tv_sec++;
  start = now_ms();
  printf("absolute: %d, whole %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, 0),
         now_ms() - start >= 99);
  time.tv_nsec = 2000000000;
  printf("no time: %s\n", error_of(nanosleep(&time, 0)));

  // A program that never calls the kernel is interrupted too.
  handle(0);
  timer(50, 0);
  while (alarms == 0) {
  }
  printf("busy loop: %d\n", alarms);
  return 0;
}
