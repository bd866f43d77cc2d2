// For the debugger: threads with names, a loop to break in, words to watch, calls that wait, values that are known.
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { kWorkers = 3 };

volatile long watched = 1;
volatile long untouched = 77;
volatile long stepped;
volatile struct {
  unsigned low : 3;
  int middle : 4;
  unsigned high : 9;
} bits = {5, -3, 300};
volatile int keep_going = 1;
_Thread_local volatile long own_word = 40;
static atomic_long rounds[kWorkers];
static char buffer[16];
static int pipe_ends[2];

__attribute__((noinline)) int add(int left, int right) {
  return left + right;
}

__attribute__((noinline)) long step_place(long value) {
  long result = value * 3;  // frame: step_first
  result += 4;
  result = add((int)result, 5);  // frame: step_call
  return result;                 // frame: step_last
}

__attribute__((noinline)) void round_place(long number, long round) {
  atomic_store(&rounds[number], round);  // frame: round_place
}

static void* work(void* argument) {
  const long number = (long)(intptr_t)argument;
  char name[16];
  snprintf(name, sizeof name, "worker %ld", number);
  pthread_setname_np(pthread_self(), name);
  own_word += number;
  for (long round = 1; keep_going; ++round) {
    round_place(number, round);
    if (number == 0) {
      watched = watched + 1;  // frame: write_watched
      stepped = step_place(round);
    }
    const struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
  }
  return (void*)(intptr_t)own_word;
}

// Waits for ever in a read, which a handler or a debugger interrupts and the kernel makes again.
static void* wait_in_read(void* argument) {
  pthread_setname_np(pthread_self(), "reader");
  while (read(pipe_ends[0], buffer, sizeof buffer) > 0) {  // frame: reader_waits
  }
  return argument;
}

int main(void) {
  pipe(pipe_ends);
  pthread_t threads[kWorkers + 1];
  for (long number = 0; number < kWorkers; ++number)
    pthread_create(&threads[number], NULL, work, (void*)(intptr_t)number);
  pthread_create(&threads[kWorkers], NULL, wait_in_read, NULL);
  puts("ready");
  fflush(stdout);
  struct pollfd nothing = {pipe_ends[0], POLLIN, 0};
  while (keep_going) poll(&nothing, 1, 50);  // frame: main_waits
  long sum = 0;
  for (int number = 0; number < kWorkers; ++number) {
    void* result;
    pthread_join(threads[number], &result);
    sum += (long)(intptr_t)result;
  }
  printf("own words %ld, untouched %ld\n", sum, untouched);
  close(pipe_ends[1]);
  pthread_join(threads[kWorkers], NULL);
  return 0;
}
