// Dies in a known place with known values, for tests of the inspector's session.
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct node {
  int number;
  char padding_before_pointer;
  struct node* next;
};
enum color { red = 1, green = 2 };
struct box {
  struct node first, second;
  int numbers[300];
  const char* name;
  enum color color;
  struct node* missing;
};

static char title[] = "a box";  // written memory: cores hold it
static pthread_barrier_t started;
uint64_t needle = 0x1122334455667788;
uint64_t* points_at_needle = &needle;

static long ids[2];

// In its pause, once the wait before it is over (proc_pid_stat(5): the state stands behind the name).
static int sleeps(long id) {
  char path[64], text[256] = "";
  snprintf(path, sizeof path, "/proc/self/task/%ld/stat", id);
  FILE* file = fopen(path, "r");
  if (!file) return 1;
  const size_t count = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[count] = 0;
  const char* name_end = strrchr(text, ')');
  return name_end && name_end[2] == 'S';
}

static void* waiter(void* argument) {
  ids[(intptr_t)argument] = syscall(SYS_gettid);
  pthread_barrier_wait(&started);
  pause();
  return argument;
}

__attribute__((noinline)) int fail_at(struct box* box, int depth) {
  int local = depth * 2;
  return box->missing->number + local;
}

__attribute__((noinline)) int middle(struct box* box) {
  int counter = 21;
  return fail_at(box, counter) + 1;
}

int main(void) {
  pthread_t threads[2];
  pthread_barrier_init(&started, 0, 3);
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, waiter, (void*)(intptr_t)i);
  pthread_barrier_wait(&started);
  while (!sleeps(ids[0]) || !sleeps(ids[1])) sched_yield();
  struct box* box = calloc(1, sizeof *box);
  box->name = title;
  box->color = green;
  box->first.number = 1;
  box->second.number = 2;
  box->first.next = &box->second;
  for (int i = 0; i < 300; i++) box->numbers[i] = i * i;
  return middle(box);
}
