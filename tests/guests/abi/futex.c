// futex(2) itself: every operation, what it returns and what it changes.
// Built with musl too.
#include "abi.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static long futex(void* word, int operation, uint32_t value, const void* time, void* second, uint32_t last) {
  return syscall(SYS_futex, word, operation, value, time, second, last);
}
static void* number(long value) {
  return (void*)value;
}
static int my_id(void) {
  return (int)syscall(SYS_gettid);
}

enum { kMost = 8 };
struct Waiter {
  pthread_t thread;
  uint32_t *word, bits, value;
  int operation, id;
  atomic_int result;
};
static struct Waiter waiters[kMost];
static atomic_int awake;

static void* wait_at(void* argument) {
  struct Waiter* self = argument;
  self->id = my_id();
  const long result = futex(self->word, self->operation, self->value, NULL, NULL, self->bits);
  atomic_store(&self->result, error_of(result) != 0 ? -error_of(result) : (int)result);
  atomic_fetch_add(&awake, 1);
  return NULL;
}

// A thread that sleeps is one whose state is S.
static void until_asleep(int id) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
  for (int round = 0; round < 10000; ++round) {
    FILE* file = fopen(path, "r");
    const size_t count = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL) fclose(file);
    text[count] = 0;
    const char* end = strrchr(text, ')');
    if (end != NULL && end[2] == 'S') return;
    sleep_ms(1);
  }
  puts("it does not fall asleep");
}

static void start(int index, uint32_t* word, int operation, uint32_t bits) {
  waiters[index] = (struct Waiter){.word = word, .bits = bits, .value = *word, .operation = operation};
  pthread_create(&waiters[index].thread, NULL, wait_at, &waiters[index]);
  while (__atomic_load_n(&waiters[index].id, __ATOMIC_SEQ_CST) == 0) sched_yield();
  until_asleep(waiters[index].id);
}
static void until_awake(int count) {
  const long begin = now_ms();
  while (atomic_load(&awake) < count && now_ms() - begin < 10000) sched_yield();
}
static void join(int count) {
  for (int index = 0; index < count; ++index) {
    pthread_join(waiters[index].thread, NULL);
    printf(" %d", waiters[index].result);
  }
  puts("");
  atomic_store(&awake, 0);
}

static void wait_and_wake(int private) {
  uint32_t word = 5;
  printf("private %d\n", private != 0);
  fact("another value", error_of(futex(&word, FUTEX_WAIT | private, 4, NULL, NULL, 0)));
  fact("nobody to wake", futex(&word, FUTEX_WAKE | private, 1, NULL, NULL, 0));
  for (int index = 0; index < 4; ++index) start(index, &word, FUTEX_WAIT | private, 0);
  fact("wake one", futex(&word, FUTEX_WAKE | private, 1, NULL, NULL, 0));
  until_awake(1);
  fact("who came first", waiters[0].result == 0 && awake == 1);
  fact("wake two", futex(&word, FUTEX_WAKE | private, 2, NULL, NULL, 0));
  fact("wake all", futex(&word, FUTEX_WAKE | private, INT32_MAX, NULL, NULL, 0));
  printf("results");
  join(4);

  start(0, &word, FUTEX_WAIT_BITSET | private, 1);
  start(1, &word, FUTEX_WAIT_BITSET | private, 2);
  start(2, &word, FUTEX_WAIT_BITSET | private, 3);
  fact("other bits", futex(&word, FUTEX_WAKE_BITSET | private, 10, NULL, NULL, 4));
  fact("second bit", futex(&word, FUTEX_WAKE_BITSET | private, 10, NULL, NULL, 2));
  until_awake(2);
  fact("any bit", futex(&word, FUTEX_WAKE | private, 10, NULL, NULL, 0));
  printf("results");
  join(3);
  fact("no bits to wait", error_of(futex(&word, FUTEX_WAIT_BITSET | private, 5, NULL, NULL, 0)));
  fact("no bits to wake", error_of(futex(&word, FUTEX_WAKE_BITSET | private, 5, NULL, NULL, 0)));
}

static void timeouts(void) {
  uint32_t word = 5;
  struct timespec time = timespec_of_ms(40);
  long begin = now_ms();
  fact("relative", error_of(futex(&word, FUTEX_WAIT, 5, &time, NULL, 0)));
  fact("not early", now_ms() - begin >= 39);
  begin = now_ms();
  time = timespec_of_ms(now_ms() + 40);
  fact("absolute", error_of(futex(&word, FUTEX_WAIT_BITSET, 5, &time, NULL, ~0u)));
  fact("not early", now_ms() - begin >= 39);
  begin = now_ms();
  time = timespec_of_ms(clock_ms(CLOCK_REALTIME) + 40);
  fact("by the wall clock", error_of(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &time, NULL, ~0u)));
  fact("not early", now_ms() - begin >= 38);
  time = timespec_of_ms(1);
  fact("in the past", error_of(futex(&word, FUTEX_WAIT_BITSET, 5, &time, NULL, ~0u)));
  fact("another value and in the past", error_of(futex(&word, FUTEX_WAIT_BITSET, 6, &time, NULL, ~0u)));
  time.tv_nsec = 1000000000;
  fact("no time", error_of(futex(&word, FUTEX_WAIT, 5, &time, NULL, 0)));
  time = (struct timespec){-1, 0};
  fact("negative", error_of(futex(&word, FUTEX_WAIT, 5, &time, NULL, 0)));
  fact("time nowhere", error_of(futex(&word, FUTEX_WAIT, 5, number(8), NULL, 0)));
  time = timespec_of_ms(10);
  fact("wall clock for a wake", error_of(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 5, NULL, NULL, 0)));
}

static void errors(void) {
  uint32_t words[2] = {5, 5};
  char* odd = (char*)words + 1;
  fact("odd: wait", error_of(futex(odd, FUTEX_WAIT, 5, NULL, NULL, 0)));
  fact("odd: wake", error_of(futex(odd, FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0)));
  fact("odd: requeue", error_of(futex(words, FUTEX_REQUEUE, 1, number(1), odd, 0)));
  fact("odd: lock", error_of(futex(odd, FUTEX_LOCK_PI, 0, NULL, NULL, 0)));
  fact("nowhere: wait", error_of(futex(number(4096), FUTEX_WAIT, 5, NULL, NULL, 0)));
  fact("nowhere: private wait", error_of(futex(number(4096), FUTEX_WAIT_PRIVATE, 5, NULL, NULL, 0)));
  fact("nowhere: wake", error_of(futex(number(4096), FUTEX_WAKE, 5, NULL, NULL, 0)));
  fact("nowhere: private wake", error_of(futex(number(4096), FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0)));
  fact("the kernel's", error_of(futex(number(-4096), FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0)));
  fact("nowhere: requeue", error_of(futex(words, FUTEX_REQUEUE, 1, number(1), number(4096), 0)));
  fact("nowhere: compare", error_of(futex(number(4096), FUTEX_CMP_REQUEUE_PRIVATE, 1, number(1), words, 0)));
  fact("nowhere: operation", error_of(futex(words, FUTEX_WAKE_OP, 1, number(1), number(4096), 0)));
  fact("nowhere: lock", error_of(futex(number(4096), FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  fact("nowhere: unlock", error_of(futex(number(4096), FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  void* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fact("read only: operation", error_of(futex(words, FUTEX_WAKE_OP, 1, number(1), page, 0)));
  fact("read only: wait", error_of(futex(page, FUTEX_WAIT_PRIVATE, 5, NULL, NULL, 0)));
  munmap(page, 4096);
  fact("no such operation", error_of(futex(words, 99, 0, NULL, NULL, 0)));
  fact("fd", error_of(futex(words, FUTEX_FD, 0, NULL, NULL, 0)));
  fact("wake fewer than none", error_of(futex(words, FUTEX_REQUEUE, (uint32_t)-1, number(1), words + 1, 0)));
  fact("move fewer than none", error_of(futex(words, FUTEX_REQUEUE, 1, number(-1), words + 1, 0)));
}

static void requeue(int private) {
  uint32_t from = 1, to = 2;
  for (int index = 0; index < 5; ++index) start(index, &from, FUTEX_WAIT | private, 0);
  fact("another value", error_of(futex(&from, FUTEX_CMP_REQUEUE | private, 1, number(2), &to, 9)));
  fact("one woken, two moved", futex(&from, FUTEX_CMP_REQUEUE | private, 1, number(2), &to, 1));
  until_awake(1);
  fact("at the second", futex(&to, FUTEX_WAKE | private, 100, NULL, NULL, 0));
  fact("none woken, one moved", futex(&from, FUTEX_REQUEUE | private, 0, number(1), &to, 0));
  fact("at the second", futex(&to, FUTEX_WAKE | private, 100, NULL, NULL, 0));
  fact("at the first", futex(&from, FUTEX_WAKE | private, 100, NULL, NULL, 0));
  printf("results");
  join(5);
}

static void operations(void) {
  static const struct {
    int operation;
    uint32_t argument;
  } kOperations[] = {{FUTEX_OP_SET, 7},
                     {FUTEX_OP_ADD, 3},
                     {FUTEX_OP_ADD, 0xfff},
                     {FUTEX_OP_OR, 0x18},
                     {FUTEX_OP_ANDN, 0x6},
                     {FUTEX_OP_XOR, 0xff},
                     {FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 4},
                     {FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 31}};
  for (size_t index = 0; index < sizeof kOperations / sizeof kOperations[0]; ++index) {
    uint32_t first = 0, second = 0x16;
    const long result =
        futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, number(1), &second,
              (uint32_t)FUTEX_OP(kOperations[index].operation, kOperations[index].argument, FUTEX_OP_CMP_EQ, 0));
    printf("operation %d %#x: %ld, %#x\n", kOperations[index].operation, kOperations[index].argument, result, second);
  }
  for (int compare = FUTEX_OP_CMP_EQ; compare <= FUTEX_OP_CMP_GE; ++compare) {
    printf("compare %d:", compare);
    static const int kValues[] = {-5, 4, 5, 6};
    for (int index = 0; index < 4; ++index) {
      uint32_t first = 0, second = (uint32_t)kValues[index];
      start(0, &second, FUTEX_WAIT_PRIVATE, 0);
      start(1, &first, FUTEX_WAIT_PRIVATE, 0);
      const long woken =
          futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, number(1), &second, (uint32_t)FUTEX_OP(FUTEX_OP_ADD, 1, compare, 5));
      printf(" %ld", woken);
      futex(&second, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
      for (int each = 0; each < 2; ++each) pthread_join(waiters[each].thread, NULL);
    }
    puts("");
  }
  atomic_store(&awake, 0);
  uint32_t first = 0, second = 0xffffffff;
  futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, number(1), &second,
        (uint32_t)FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0xfff));
  fact("set", second);
  fact("no such operation", error_of(futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, number(1), &second, 6u << 28)));
  fact("no such compare", error_of(futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, number(1), &second, 7u << 24)));
}

static uint32_t lock;
static atomic_int has_lock, may_unlock;
static void* hold_lock(void* unused) {
  futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
  atomic_store(&has_lock, my_id());
  while (!atomic_load(&may_unlock)) sched_yield();
  fact("unlock by the owner", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  return unused;
}

static void owners(void) {
  lock = 0;
  fact("lock", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  fact("it is ours", lock == (uint32_t)my_id());
  fact("again", error_of(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  fact("try again", error_of(futex(&lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  fact("unlock", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  fact("free", lock);
  fact("unlock again", error_of(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  fact("try", futex(&lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  fact("unlock", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  lock = 0x3ffffff0;
  fact("owner that is not there", error_of(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  lock = 0;

  pthread_t thread;
  pthread_create(&thread, NULL, hold_lock, NULL);
  while (!atomic_load(&has_lock)) sched_yield();
  fact("try of a held one", error_of(futex(&lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  fact("unlock of another's", error_of(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  struct timespec time = timespec_of_ms(clock_ms(CLOCK_REALTIME) + 30);
  fact("in time", error_of(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, &time, NULL, 0)));
  time = timespec_of_ms(now_ms() + 30);
  fact("by the other clock", error_of(futex(&lock, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &time, NULL, 0)));
  time = timespec_of_ms(clock_ms(CLOCK_REALTIME) + 30);
  fact("by the wall clock",
       error_of(futex(&lock, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 0, &time, NULL, 0)));
  fact("owner", (int)(lock & FUTEX_TID_MASK) == atomic_load(&has_lock));
  atomic_store(&may_unlock, 1);
  const long result = futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
  pthread_join(thread, NULL);
  fact("lock at last", result);
  fact("it is ours", (lock & FUTEX_TID_MASK) == (uint32_t)my_id());
  fact("unlock", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  fact("free", lock);
}

// A robust list by hand, in a thread that dies with three locks and one in the middle of being taken.
struct Entry {
  struct robust_list list;
  uint32_t word;
};
static struct robust_list_head head;
static struct Entry entries[3], half;
static uint32_t not_owned;
static atomic_int listed;
static void* die(void* unused) {
  const uint32_t id = (uint32_t)my_id();
  for (int index = 0; index < 3; ++index) {
    entries[index].list.next = index < 2 ? &entries[index + 1].list : &head.list;
    entries[index].word = id;
  }
  entries[1].word |= FUTEX_WAITERS;
  entries[2].word = id + 1;  // another's: left alone
  not_owned = id + 1;
  half.word = id;
  head.list.next = &entries[0].list;
  head.futex_offset = offsetof(struct Entry, word);
  head.list_op_pending = &half.list;
  fact("set", syscall(SYS_set_robust_list, &head, sizeof head));
  fact("wrong size", error_of(syscall(SYS_set_robust_list, &head, sizeof head - 1)));
  struct robust_list_head* found = NULL;
  size_t size = 0;
  fact("get", syscall(SYS_get_robust_list, 0, &found, &size));
  fact("the same", found == &head && size == sizeof head);
  atomic_store(&listed, 1);
  while (atomic_load(&listed) != 2) sched_yield();
  return unused;
}
static void* wait_for_the_dead(void* unused) {
  fact("woken", futex(&entries[1].word, FUTEX_WAIT, entries[1].word, NULL, NULL, 0));
  return unused;
}
static void robust(void) {
  pthread_t thread, waiter;
  pthread_create(&thread, NULL, die, NULL);
  while (atomic_load(&listed) != 1) sched_yield();
  pthread_create(&waiter, NULL, wait_for_the_dead, NULL);
  sleep_ms(20);
  atomic_store(&listed, 2);
  pthread_join(waiter, NULL);
  pthread_join(thread, NULL);
  printf("%#x %#x %d %#x\n", entries[0].word, entries[1].word, entries[2].word == not_owned, half.word);
  fact("nobody", error_of(syscall(SYS_get_robust_list, 999999, &head, &head)));
}

int main(void) {
  wait_and_wake(0);
  wait_and_wake(FUTEX_PRIVATE_FLAG);
  timeouts();
  errors();
  requeue(0);
  requeue(FUTEX_PRIVATE_FLAG);
  operations();
  owners();
  robust();
  return 0;
}
