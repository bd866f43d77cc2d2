// Dies in a known place with known values, for tests of the inspector's session.
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

static void* waiter(void* argument) {
  pthread_barrier_wait(&started);
  pthread_barrier_wait(&started);  // never comes back
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
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, waiter, 0);
  pthread_barrier_wait(&started);
  struct box* box = calloc(1, sizeof *box);
  box->name = title;
  box->color = green;
  box->first.number = 1;
  box->second.number = 2;
  box->first.next = &box->second;
  for (int i = 0; i < 300; i++) box->numbers[i] = i * i;
  return middle(box);
}
