// Signals and threads: to the process or to one thread, masks, stacks, order, one-time handlers.
#include "abi.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static sem_t ready, go;
static atomic_int came, where;
static void on_signal(int number) {
  (void)number;
  atomic_store(&where, gettid());
  atomic_fetch_add(&came, 1);
}
static void until_came(int count) {
  for (int round = 0; round < 5000 && atomic_load(&came) < count; ++round) sleep_ms(1);
}
static void handle(int number, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(number, &action, NULL);
}
static void mask(int how, int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(how, &set, NULL);
}
static int is_pending(int number) {
  sigset_t set;
  sigpending(&set);
  return sigismember(&set, number);
}

static int other;
static void* let_through(void* unused) {
  other = gettid();
  mask(SIG_UNBLOCK, SIGUSR1);
  sem_post(&ready);
  while (sem_wait(&go) != 0) {
  }
  return unused;
}
static void* block_too(void* unused) {
  other = gettid();
  sem_post(&ready);
  while (sem_wait(&go) != 0) {
  }
  fact("pending in the other", is_pending(SIGUSR1));
  mask(SIG_UNBLOCK, SIGUSR1);
  fact("after unblocking", is_pending(SIGUSR1));
  return unused;
}

static void directed(void) {
  pthread_t thread;
  handle(SIGUSR1, on_signal, SA_RESTART);
  mask(SIG_BLOCK, SIGUSR1);
  pthread_create(&thread, NULL, let_through, NULL);
  sem_wait(&ready);
  kill(getpid(), SIGUSR1);
  until_came(1);
  printf("to the process: in the other %d\n", where == other);
  raise(SIGUSR1);
  printf("to this thread: came %d, pending %d\n", came, is_pending(SIGUSR1));
  syscall(SYS_tgkill, getpid(), other, SIGUSR1);
  until_came(2);
  printf("to the other: %d\n", where == other);
  sem_post(&go);
  pthread_join(thread, NULL);
  mask(SIG_UNBLOCK, SIGUSR1);
  printf("then here: came %d, here %d\n", came, where == gettid());

  // Blocked by all: it waits for whoever lets it through first.
  atomic_store(&came, 0);
  mask(SIG_BLOCK, SIGUSR1);
  pthread_create(&thread, NULL, block_too, NULL);
  sem_wait(&ready);
  kill(getpid(), SIGUSR1);
  fact("pending here", is_pending(SIGUSR1));
  sem_post(&go);
  pthread_join(thread, NULL);
  printf("came %d, in the other %d, pending %d\n", came, where == other, is_pending(SIGUSR1));
  // Once for the process and once for a thread; each kind once.
  atomic_store(&came, 0);
  for (int round = 0; round < 3; ++round) kill(getpid(), SIGUSR1), raise(SIGUSR1);
  mask(SIG_UNBLOCK, SIGUSR1);
  printf("six sent, came %d\n", came);
  atomic_store(&came, 0);
}

static char* stack_of_handler;
static void on_stack(int number) {
  (void)number;
  char here;
  stack_t now;
  sigaltstack(NULL, &now);
  stack_of_handler = &here;
  printf("handler: flags %d, change %d\n", now.ss_flags, error_of(sigaltstack(&now, NULL)));
}
static int is_on(const stack_t* stack) {
  return stack_of_handler >= (char*)stack->ss_sp && stack_of_handler < (char*)stack->ss_sp + stack->ss_size;
}
static void* own_stack(void* unused) {
  stack_t old, mine = {.ss_sp = malloc(32768), .ss_size = 32768};
  sigaltstack(NULL, &old);
  printf("a new thread: flags %d\n", old.ss_flags);
  raise(SIGUSR2);
  fact("without one: on its own stack", !is_on(&mine));
  sigaltstack(&mine, NULL);
  raise(SIGUSR2);
  fact("on it", is_on(&mine));
  mine.ss_flags = SS_DISABLE;
  sigaltstack(&mine, &old);
  fact("it was", old.ss_size == 32768 && old.ss_flags == 0);
  raise(SIGUSR2);
  fact("off", !is_on(&mine));
  free(mine.ss_sp);
  return unused;
}
static void stacks(void) {
  handle(SIGUSR2, on_stack, SA_ONSTACK);
  stack_t mine = {.ss_sp = malloc(32768), .ss_size = 32768};
  sigaltstack(&mine, NULL);
  pthread_t thread;
  pthread_create(&thread, NULL, own_stack, NULL);
  pthread_join(thread, NULL);
  raise(SIGUSR2);
  fact("the first thread's is its own", is_on(&mine));
  mine.ss_size = 1000;
  fact("too small", error_of(sigaltstack(&mine, NULL)));
  mine.ss_flags = 99;
  fact("bad flags", error_of(sigaltstack(&mine, NULL)));
  mine = (stack_t){.ss_flags = SS_DISABLE};
  sigaltstack(&mine, NULL);
}

static volatile int order[64], values[64], count;
static void in_order(int number, siginfo_t* information, void* context) {
  (void)context;
  if (count == 64) return;
  order[count] = number;
  values[count++] = information->si_code == SI_QUEUE ? information->si_value.sival_int : -1;
}
static void queues(void) {
  static const int kNumbers[] = {SIGUSR1, SIGUSR2, 40, 41, 42};
  struct sigaction action = {.sa_sigaction = in_order, .sa_flags = SA_SIGINFO};
  sigfillset(&action.sa_mask);
  for (int index = 0; index < 5; ++index) {
    sigaction(kNumbers[index], &action, NULL);
    mask(SIG_BLOCK, kNumbers[index]);
  }
  for (int round = 0; round < 3; ++round)
    for (int index = 4; index >= 0; --index) sigqueue(getpid(), kNumbers[index], (union sigval){round * 10 + index});
  pthread_sigqueue(pthread_self(), 42, (union sigval){99});
  pthread_sigqueue(pthread_self(), 41, (union sigval){98});
  raise(SIGUSR2);
  sigset_t all;
  sigfillset(&all);
  sigset_t set;
  sigemptyset(&set);
  for (int index = 0; index < 5; ++index) sigaddset(&set, kNumbers[index]);
  // One is taken out of the middle first.
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, 41);
  siginfo_t information;
  for (int round = 0; round < 2; ++round) {
    const int number = sigwaitinfo(&one, &information);
    printf("waited for %d, value %d\n", number, information.si_value.sival_int);
  }
  // Unblocked at once: a handler of the lowest number ends first only if each blocks the others (sa_mask).
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  for (int index = 0; index < count; ++index) printf("%d:%d ", order[index], values[index]);
  puts("");
}

static volatile int depth, deepest, rounds;  // raise() is said to be a leaf
static void nest(int number) {
  if (++depth > deepest) deepest = depth;
  if (++rounds < 4) raise(number);
  --depth;
}
static void once(int number) {
  struct sigaction now;
  sigaction(number, NULL, &now);
  sigset_t set;
  sigprocmask(SIG_SETMASK, NULL, &set);
  printf("once: default again %d, blocked %d\n", now.sa_handler == SIG_DFL, sigismember(&set, number));
}
static void show_mask(int number) {
  (void)number;
  sigset_t set;
  sigprocmask(SIG_SETMASK, NULL, &set);
  printf("in the handler:");
  for (int each = 1; each < 65; ++each)
    if (sigismember(&set, each) == 1) printf(" %d", each);
  puts("");
}
static void flags(void) {
  handle(SIGHUP, nest, 0);
  raise(SIGHUP);
  printf("deferred: deepest %d of %d\n", deepest, rounds);
  deepest = rounds = 0;
  handle(SIGHUP, nest, SA_NODEFER);
  raise(SIGHUP);
  printf("not deferred: deepest %d of %d\n", deepest, rounds);
  handle(SIGHUP, once, (int)SA_RESETHAND);
  raise(SIGHUP);
  handle(SIGHUP, once, (int)(SA_RESETHAND | SA_NODEFER));
  raise(SIGHUP);
  struct sigaction action = {.sa_handler = show_mask};
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGKILL);
  sigaddset(&action.sa_mask, 50);
  sigaction(SIGHUP, &action, NULL);
  raise(SIGHUP);
  sigset_t set;
  sigprocmask(SIG_SETMASK, NULL, &set);
  printf("after it:");
  for (int each = 1; each < 65; ++each)
    if (sigismember(&set, each) == 1) printf(" %d", each);
  puts("");
  sigfillset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  sigprocmask(SIG_SETMASK, NULL, &set);
  printf("never blocked: %d %d\n", sigismember(&set, SIGKILL), sigismember(&set, SIGSTOP));
  sigemptyset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  struct sigaction refused = {.sa_handler = show_mask};
  fact("kill", error_of(sigaction(SIGKILL, &refused, NULL)));
}

// A thread takes over its creator's mask, but nothing that is pending.
static void* show_inherited(void* unused) {
  sigset_t set;
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  printf("inherited: %d, pending %d\n", sigismember(&set, SIGUSR1), is_pending(SIGUSR1));
  return unused;
}
static void inherit(void) {
  mask(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  pthread_t thread;
  pthread_create(&thread, NULL, show_inherited, NULL);
  pthread_join(thread, NULL);
  fact("pending here", is_pending(SIGUSR1));
  signal(SIGUSR1, SIG_IGN);
  fact("ignored now: pending", is_pending(SIGUSR1));
  mask(SIG_UNBLOCK, SIGUSR1);
}

int main(void) {
  sem_init(&ready, 0, 0);
  sem_init(&go, 0, 0);
  directed();
  stacks();
  queues();
  flags();
  inherit();
  return 0;
}
