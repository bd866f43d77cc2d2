// Restartable sequences: one that is left in the middle, by another thread's turn or by a signal, goes to its abort
// address; one that is not interrupted ends. The C library's registration is used.
#include "abi.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static struct rseq* area(void) {
  return (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
}

// Adds one to *word, `delay` turns of a loop after reading it. 0: done; 1: aborted before the store.
static int add_one(volatile long* word, long delay) {
  int aborted = 0;
  __asm__ volatile(
      ".pushsection .data.sequences, \"aw\"\n"
      ".balign 32\n"
      "1: .long 0, 0\n"
      ".quad 2f, 3f - 2f, 4f\n"
      ".popsection\n"
      "lea 1b(%%rip), %%rax\n"
      "mov %%rax, %[sequence]\n"
      "2: mov %[word], %%rcx\n"
      "5: dec %[delay]\n"
      "jg 5b\n"
      "inc %%rcx\n"
      "mov %%rcx, %[word]\n"
      "3: jmp 6f\n"
      // The signature stands before the abort address (RSEQ_SIG as x86-64's ud1).
      ".byte 0x0f, 0xb9, 0x3d\n"
      ".long 0x53053053\n"
      "4: mov $1, %[aborted]\n"
      "6:\n"
      : [aborted] "+r"(aborted), [delay] "+r"(delay), [word] "+m"(*word), [sequence] "=m"(area()->rseq_cs)
      :
      : "rax", "rcx", "memory", "cc");
  return aborted;
}

static atomic_int came;
static void on_signal(int number) {
  (void)number, atomic_fetch_add(&came, 1);
}

static void pin(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
}

static volatile long shared_word;
enum { kThreads = 4, kEach = 2000 };
static atomic_long aborts;
static void* add_many(void* unused) {
  for (int round = 0; round < kEach; ++round)
    while (add_one(&shared_word, 2000) != 0) atomic_fetch_add(&aborts, 1);
  return unused;
}

static atomic_int stop;
static void* take_turns(void* unused) {
  while (!atomic_load(&stop)) sched_yield();
  return unused;
}

int main(void) {
  pin();  // a sequence belongs to one CPU
  fact("registered", __rseq_size > 0);
  fact("on a CPU", (int)area()->cpu_id == sched_getcpu() && area()->cpu_id_start == area()->cpu_id);
  volatile long word = 41;
  fact("short", add_one(&word, 1));
  fact("word", word);
  // The area keeps the pointer until the kernel looks at it the next time.
  sched_yield();

  signal(SIGALRM, on_signal);
  const struct itimerval in = {{0, 0}, {0, 30000}};
  setitimer(ITIMER_REAL, &in, NULL);
  int aborted = 1;
  while (aborted && came == 0) aborted = add_one(&word, INT64_MAX);  // another thread's turn ends it too
  fact("a signal in the middle", aborted);
  printf("handled %d, word %ld, no sequence %d\n", came, word, area()->rseq_cs == 0);

  pthread_t threads[kThreads];
  pthread_create(&threads[0], NULL, take_turns, NULL);
  fact("another thread's turn", add_one(&word, INT64_MAX));
  atomic_store(&stop, 1);
  pthread_join(threads[0], NULL);
  fact("word", word);

  // On a fast machine one thread may be through before the next one's turn.
  long expected = 0;
  for (int round = 0; round < 100 && atomic_load(&aborts) == 0; ++round, expected += kThreads * kEach) {
    for (int index = 0; index < kThreads; ++index) pthread_create(&threads[index], NULL, add_many, NULL);
    for (int index = 0; index < kThreads; ++index) pthread_join(threads[index], NULL);
  }
  fact("nothing lost", shared_word == expected);
  fact("aborted sometimes", atomic_load(&aborts) > 0);

  struct rseq other __attribute__((aligned(32))) = {0};
  fact("a second area", error_of(syscall(SYS_rseq, &other, sizeof other, 0, RSEQ_SIG)));
  fact("the same again", error_of(syscall(SYS_rseq, area(), 32, 0, RSEQ_SIG)));
  fact("another signature", error_of(syscall(SYS_rseq, area(), 32, 0, 1)));
  fact("unregister another", error_of(syscall(SYS_rseq, &other, 32, 1, RSEQ_SIG)));
  fact("bad flags", error_of(syscall(SYS_rseq, area(), 32, 2, RSEQ_SIG)));
  fact("unregister", error_of(syscall(SYS_rseq, area(), 32, 1, RSEQ_SIG)));
  fact("odd", error_of(syscall(SYS_rseq, (char*)area() + 8, 32, 0, RSEQ_SIG)));
  fact("register", error_of(syscall(SYS_rseq, area(), 32, 0, RSEQ_SIG)));
  return 0;
}
