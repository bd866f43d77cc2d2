// How fast two threads take turns, in five ways, and how fast threads come and go: "NAME: OPERATIONS_PER_SECOND" a
// line. The same static program runs on Mortem and as /init of a Linux guest (tests/bench/threads).
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kOperationsPerLook = 64 };  // between two looks at the clock

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double measured_time = 1.0;
static atomic_int turn;  // 0, 1: whose it is; 2: the end
static int pipes[2][2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition[2] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER};

// Each waits for its turn; -1 when it was the end. Then it gives the turn away.
struct Way {
  const char* name;
  int (*take)(int me);
  void (*give)(int next);
};

static int take_by_yield(int me) {
  int now;
  while ((now = atomic_load(&turn)) == 1 - me) sched_yield();
  return now == me ? 0 : -1;
}
static void give_by_store(int next) {
  atomic_store(&turn, next);
}

static int take_by_futex(int me) {
  int now;
  while ((now = atomic_load(&turn)) == 1 - me) syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, NULL);
  return now == me ? 0 : -1;
}
static void give_by_futex(int next) {
  atomic_store(&turn, next);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1);
}

static int take_by_pipe(int me) {
  char byte;
  return read(pipes[me][0], &byte, 1) == 1 && byte != 2 ? 0 : -1;
}
static void give_by_pipe(int next) {
  const char byte = (char)next;
  if (write(pipes[next == 2 ? 1 : next][1], &byte, 1) != 1) exit(1);
}

static int take_by_condition(int me) {
  pthread_mutex_lock(&mutex);
  while (turn == 1 - me) pthread_cond_wait(&condition[me], &mutex);
  const int mine = turn == me;
  pthread_mutex_unlock(&mutex);
  return mine ? 0 : -1;
}
static void give_by_condition(int next) {
  pthread_mutex_lock(&mutex);
  turn = next;
  pthread_cond_signal(&condition[next == 2 ? 1 : next]);
  pthread_mutex_unlock(&mutex);
}

static void* other_side(void* argument) {
  const struct Way* way = argument;
  while (way->take(1) == 0) way->give(0);
  return NULL;
}

static void turns(const struct Way* way) {
  atomic_store(&turn, 0);
  pthread_t other;
  if (pthread_create(&other, NULL, other_side, (void*)way) != 0) exit(1);
  uint64_t done = 0;
  const double start = seconds();
  double now;
  do {
    for (int i = 0; i < kOperationsPerLook; ++i) {
      way->give(1);
      if (way->take(0) != 0) exit(1);
    }
    done += 2 * kOperationsPerLook;  // there and back
    now = seconds();
  } while (now - start < measured_time);
  way->give(2);
  pthread_join(other, NULL);
  printf("%s: %.0f\n", way->name, (double)done / (now - start));
}

static void* nothing(void* argument) {
  return argument;
}

static void come_and_go(void) {
  uint64_t done = 0;
  const double start = seconds();
  double now;
  do {
    for (int i = 0; i < kOperationsPerLook; ++i) {
      pthread_t thread;
      if (pthread_create(&thread, NULL, nothing, NULL) != 0) exit(1);
      pthread_join(thread, NULL);
    }
    done += kOperationsPerLook;
    now = seconds();
  } while (now - start < measured_time);
  printf("create and join: %.0f\n", (double)done / (now - start));
}

static void calls(void) {
  uint64_t done = 0;
  const double start = seconds();
  double now;
  do {
    for (int i = 0; i < kOperationsPerLook; ++i) syscall(SYS_getppid);
    done += kOperationsPerLook;
    now = seconds();
  } while (now - start < measured_time);
  printf("getppid: %.0f\n", (double)done / (now - start));
}

int main(int count, char** arguments) {
  static const struct Way ways[] = {{"yield", take_by_yield, give_by_store},
                                    {"futex", take_by_futex, give_by_futex},
                                    {"pipe", take_by_pipe, give_by_pipe},
                                    {"condition", take_by_condition, give_by_condition}};
  const int is_init = getpid() == 1;
  if (count > 1 && !is_init) measured_time = atof(arguments[1]);
  if (pipe(pipes[0]) != 0 || pipe(pipes[1]) != 0) return 1;
  calls();
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; ++i) turns(&ways[i]);
  come_and_go();
  printf("end\n");
  fflush(stdout);
  if (is_init) reboot(RB_AUTOBOOT);
  return 0;
}
