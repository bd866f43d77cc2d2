// Threads: what they share, how they meet, how they end. Prints the same on Linux and in a guest.
// Built with musl too.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kThreads = 16, kRounds = 2000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter, turn;
static _Thread_local long own = 7;

static void* count(void* number) {
  for (int round = 0; round < kRounds; ++round) {
    pthread_mutex_lock(&mutex);
    ++counter;
    pthread_mutex_unlock(&mutex);
    own += (long)(intptr_t)number;
    if (round % 100 == 0) sched_yield();
  }
  return (void*)(intptr_t)own;
}

static void counting(void) {
  pthread_t threads[kThreads];
  for (long number = 0; number < kThreads; ++number) pthread_create(&threads[number], NULL, count, (void*)number);
  long sum = 0;
  for (int number = 0; number < kThreads; ++number) {
    void* result;
    pthread_join(threads[number], &result);
    sum += (long)(intptr_t)result;
  }
  printf("counter %ld, own %ld, sum %ld\n", counter, own, sum);
}

// Each waits for its turn and passes it on.
static void* pass_on(void* number) {
  const long me = (long)(intptr_t)number;
  for (int round = 0; round < 50; ++round) {
    pthread_mutex_lock(&mutex);
    while (turn % 8 != me) pthread_cond_wait(&condition, &mutex);
    ++turn;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void turns(void) {
  pthread_t threads[8];
  for (long number = 0; number < 8; ++number) pthread_create(&threads[number], NULL, pass_on, (void*)number);
  for (int number = 0; number < 8; ++number) pthread_join(threads[number], NULL);
  printf("turns %ld\n", turn);
}

// Nobody yields: only the timer lets the other one run.
static atomic_int spinning, stop;
static void* spin(void* unused) {
  atomic_store(&spinning, 1);
  while (!atomic_load(&stop)) {
  }
  return unused;
}

static void preemption(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, spin, NULL);
  while (!atomic_load(&spinning)) {
  }
  atomic_store(&stop, 1);
  pthread_join(thread, NULL);
  puts("preempted");
}

static atomic_int handled;
static pthread_t handler_thread;
static void on_signal(int number) {
  handler_thread = pthread_self();
  atomic_fetch_add(&handled, number);
}

static void* sleep_for_ever(void* semaphore) {
  sem_post(semaphore);
  while (atomic_load(&handled) == 0) pause();
  return (void*)(intptr_t)atomic_load(&handled);
}

static void signals_to_threads(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  sem_t ready;
  sem_init(&ready, 0, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, sleep_for_ever, &ready);
  sem_wait(&ready);
  pthread_kill(thread, SIGUSR1);
  void* result;
  pthread_join(thread, &result);
  printf("handled %ld in the thread: %d\n", (long)(intptr_t)result, pthread_equal(handler_thread, thread) != 0);
  int answer = (int)syscall(SYS_tgkill, getpid(), 999999, 0);
  printf("tgkill of nobody: %d %d\n", answer, errno);
  answer = (int)syscall(SYS_tgkill, getpid() + 1, gettid(), 0);
  printf("tgkill of another process: %d %d\n", answer, errno);
}

// A signal for the process goes to the thread that does not block it.
static void* wait_for_signal(void* unused) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  int number = 0;
  sigwait(&set, &number);
  return (void*)(intptr_t)(number + (unused != NULL));
}

static void signal_to_the_process(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  pthread_t thread;
  pthread_create(&thread, NULL, wait_for_signal, NULL);
  kill(getpid(), SIGUSR2);
  void* result;
  pthread_join(thread, &result);
  printf("sigwait %d\n", (int)(intptr_t)result == SIGUSR2);
}

static pthread_mutex_t robust_lock;
static void* die_with_lock(void* locked) {
  pthread_mutex_lock(&robust_lock);
  sem_post(locked);
  sched_yield();  // the other one comes to wait, mostly
  return NULL;
}

static void robust(int protocol) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  pthread_mutex_init(&robust_lock, &attributes);
  sem_t locked;
  sem_init(&locked, 0, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, die_with_lock, &locked);
  sem_wait(&locked);
  printf("robust %d: %d\n", protocol, pthread_mutex_lock(&robust_lock) == EOWNERDEAD);
  pthread_join(thread, NULL);
  pthread_mutex_consistent(&robust_lock);
  printf("unlock %d\n", pthread_mutex_unlock(&robust_lock));
}

static pthread_mutex_t inheriting;
static void* lock_inheriting(void* unused) {
  for (int round = 0; round < 200; ++round) {
    pthread_mutex_lock(&inheriting);
    const long seen = counter;
    sched_yield();
    counter = seen + 1;
    pthread_mutex_unlock(&inheriting);
  }
  return unused;
}

static void priority_inheritance(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&inheriting, &attributes);
  counter = 0;
  pthread_t threads[4];
  for (int number = 0; number < 4; ++number) pthread_create(&threads[number], NULL, lock_inheriting, NULL);
  for (int number = 0; number < 4; ++number) pthread_join(threads[number], NULL);
  printf("inheriting %ld\n", counter);
  pthread_mutex_lock(&inheriting);
  printf("twice %d\n", pthread_mutex_lock(&inheriting));
  pthread_mutex_unlock(&inheriting);
  printf("not ours %d\n", pthread_mutex_unlock(&inheriting));
}

static void timed_out(void) {
  struct timespec at;
  pthread_mutex_lock(&mutex);
  clock_gettime(CLOCK_REALTIME, &at);
  at.tv_nsec += 20000000;
  if (at.tv_nsec >= 1000000000) at.tv_nsec -= 1000000000, ++at.tv_sec;
  int result;
  do result = pthread_cond_timedwait(&condition, &mutex, &at);
  while (result == 0);
  pthread_mutex_unlock(&mutex);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const int late = now.tv_sec > at.tv_sec || (now.tv_sec == at.tv_sec && now.tv_nsec >= at.tv_nsec);
  printf("timed out %d, not too early %d\n", result == ETIMEDOUT, late);
}

static void unlock(void* lock) {
  pthread_mutex_unlock(lock);
}

static void* never_ends(void* unused) {
  pthread_mutex_t* lock = unused;
  pthread_mutex_lock(lock);
  pthread_cond_t never = PTHREAD_COND_INITIALIZER;
  pthread_cleanup_push(unlock, lock);
  pthread_cond_wait(&never, lock);
  pthread_cleanup_pop(1);
  return NULL;
}

static void cancelled(void) {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_t thread;
  pthread_create(&thread, NULL, never_ends, &lock);
  void* result;
  pthread_cancel(thread);
  pthread_join(thread, &result);
  printf("cancelled %d\n", result == PTHREAD_CANCELED);
}

static void names(void) {
  char name[16];
  pthread_setname_np(pthread_self(), "fifteen letters");
  pthread_getname_np(pthread_self(), name, sizeof name);
  printf("name %s, too long %d\n", name, pthread_setname_np(pthread_self(), "sixteen letters.") == ERANGE);
}

static void* nothing(void* value) {
  return value;
}

static void many(void) {
  long sum = 0;
  for (int round = 0; round < 500; ++round) {
    pthread_t thread;
    void* result;
    pthread_create(&thread, NULL, nothing, (void*)1);
    pthread_join(thread, &result);
    sum += (long)(intptr_t)result;
  }
  printf("many %ld\n", sum);
}

static pthread_t main_thread;
static void* outlive(void* unused) {
  pthread_join(main_thread, NULL);
  puts("main has gone, the program has not");
  fflush(stdout);
  return unused;
}

int main(void) {
  counting();
  turns();
  preemption();
  signals_to_threads();
  signal_to_the_process();
  robust(PTHREAD_PRIO_NONE);
  robust(PTHREAD_PRIO_INHERIT);
  priority_inheritance();
  timed_out();
  cancelled();
  names();
  many();
  main_thread = pthread_self();
  pthread_t thread;
  pthread_create(&thread, NULL, outlive, NULL);
  pthread_exit(NULL);
}
