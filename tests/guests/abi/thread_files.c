// Threads by name and number: /proc/self/task, names, scheduling, memory barriers.
#include "abi.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static sem_t ready, leave;
static int other;
static void* wait_here(void* unused) {
  other = gettid();
  prctl(PR_SET_NAME, "the other one");
  sem_post(&ready);
  sem_wait(&leave);
  return unused;
}

static void read_file(const char* path, char* text, size_t size) {
  text[0] = 0;
  const int file = open(path, O_RDONLY);
  if (file < 0) {
    snprintf(text, size, "error %d", errno);
    return;
  }
  const ssize_t count = read(file, text, size - 1);
  text[count < 0 ? 0 : count] = 0;
  close(file);
}

static void show(const char* what, const char* path) {
  char text[4096];
  read_file(path, text, sizeof text);
  text[strcspn(text, "\n")] = 0;
  printf("%s: %s\n", what, text);
}

static const char* task(int thread, const char* name) {
  static char path[128];
  snprintf(path, sizeof path, "/proc/self/task/%d/%s", thread, name);
  return path;
}

static void line_of(const char* path, const char* key) {
  char text[4096];
  read_file(path, text, sizeof text);
  char* line = strstr(text, key);
  if (line != NULL) line[strcspn(line, "\n")] = 0;
  printf("%s\n", line != NULL ? line : "nothing");
}

// Fields 2 to 5 without the number of the process, and 18 to 20.
static void show_numbers(const char* path) {
  char text[4096];
  read_file(path, text, sizeof text);
  char* at = strchr(text, '(');
  printf("%.*s", (int)(strrchr(text, ')') - at + 3), at);
  int field = 3;
  for (at = strrchr(text, ')') + 2; *at != 0; ++at) {
    if (*at != ' ') continue;
    ++field;
    if (field >= 18 && field <= 20) printf(" %d", atoi(at + 1));
  }
  puts("");
}

static void list(void) {
  DIR* folder = opendir("/proc/self/task");
  int found = 0, others = 0, first = 0;
  for (struct dirent* entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    const int number = atoi(entry->d_name);
    if (number == getpid())
      first = found + others == 0;
    else if (number == other)
      ++found;
    else
      ++others;
  }
  closedir(folder);
  printf("listed: first %d, the other %d, more %d\n", first, found, others);
  struct stat status;
  stat("/proc/self/task", &status);
  printf("links %ld, mode %o\n", (long)status.st_nlink, status.st_mode);
  stat(task(other, "comm"), &status);
  printf("mode of comm %o\n", status.st_mode);
}

static void names(pthread_t thread) {
  char name[32], target[64];
  show("mine", "/proc/self/comm");
  show("the other's", task(other, "comm"));
  pthread_setname_np(thread, "renamed");
  show("renamed", task(other, "comm"));
  pthread_getname_np(thread, name, sizeof name);
  printf("the same: %s\n", name);
  const int file = open(task(other, "comm"), O_WRONLY);
  fact("a long name", write(file, "more than fifteen letters", 25));
  close(file);
  show("cut", task(other, "comm"));
  line_of(task(other, "status"), "Name:");
  line_of(task(other, "status"), "Threads:");
  line_of("/proc/self/status", "Threads:");
  line_of(task(other, "status"), "State:");
  show_numbers(task(other, "stat"));
  show_numbers(task(getpid(), "stat"));
  readlink("/proc/thread-self", target, sizeof target);
  char expected[64];
  snprintf(expected, sizeof expected, "%d/task/%d", getpid(), gettid());
  fact("thread-self", strncmp(target, expected, strlen(expected)) == 0);
  show("through it", "/proc/thread-self/comm");
  show("nobody", task(999999, "comm"));
  show("no number", "/proc/self/task/x/comm");
  show("no file", task(other, "nothing"));
}

static void* show_mine(void* unused) {
  prctl(PR_SET_NAME, "a third");
  show("in a thread, thread-self", "/proc/thread-self/comm");
  show("in a thread, self", "/proc/self/comm");
  struct sched_param parameter = {0};
  fact("inherited", sched_getscheduler(0));
  fact("nice", getpriority(PRIO_PROCESS, 0));
  fact("back to other", sched_setscheduler(0, SCHED_OTHER, &parameter));
  return unused;
}

static void scheduling(void) {
  struct sched_param parameter = {0};
  fact("class", sched_getscheduler(0));
  fact("batch", sched_setscheduler(0, SCHED_BATCH, &parameter));
  fact("class", sched_getscheduler(0));
  fact("set", error_of(sched_setparam(0, &parameter)));
  parameter.sched_priority = 5;
  fact("a priority in it", error_of(sched_setscheduler(0, SCHED_OTHER, &parameter)));
  fact("set a priority", error_of(sched_setparam(0, &parameter)));
  parameter.sched_priority = 100;
  fact("too high", error_of(sched_setscheduler(0, SCHED_FIFO, &parameter)));
  parameter.sched_priority = 0;
  fact("no such class", error_of(sched_setscheduler(0, 4, &parameter)));
  fact("nobody", error_of(sched_setscheduler(999999, SCHED_OTHER, &parameter)));
  fact("negative", error_of(sched_getscheduler(-1)));
  fact("get", sched_getparam(0, &parameter));
  fact("priority", parameter.sched_priority);
  printf("%d to %d, %d to %d, %d\n", sched_get_priority_min(SCHED_OTHER), sched_get_priority_max(SCHED_OTHER),
         sched_get_priority_min(SCHED_FIFO), sched_get_priority_max(SCHED_RR), sched_get_priority_max(44));

  fact("nice", getpriority(PRIO_PROCESS, 0));
  fact("nicer", setpriority(PRIO_PROCESS, 0, 5));
  fact("nice", getpriority(PRIO_PROCESS, 0));
  fact("the other is as it was", getpriority(PRIO_PROCESS, (id_t)other));
  fact("too nice", setpriority(PRIO_PROCESS, (id_t)other, 99));
  fact("the other's", getpriority(PRIO_PROCESS, (id_t)other));
  errno = 0;
  getpriority(PRIO_PROCESS, 999999);
  fact("nobody", errno);
  fact("no such kind", error_of(setpriority(3, 0, 0)));
  pthread_t thread;
  pthread_create(&thread, NULL, show_mine, NULL);
  pthread_join(thread, NULL);

  cpu_set_t processors;
  fact("affinity", sched_getaffinity(other, sizeof processors, &processors));
  fact("at least one", CPU_COUNT(&processors) >= 1);
  fact("set", sched_setaffinity(other, sizeof processors, &processors));
  fact("nobody", error_of(sched_getaffinity(999999, sizeof processors, &processors)));
  CPU_ZERO(&processors);
  fact("none", error_of(sched_setaffinity(0, sizeof processors, &processors)));
}

static int barrier(int command) {
  return (int)syscall(SYS_membarrier, command, 0, 0);
}
static void barriers(void) {
  const int all = barrier(MEMBARRIER_CMD_QUERY);
  printf("commands %#x\n", all & 0x1ff);
  fact("not registered", error_of(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)));
  fact("register", barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
  fact("barrier", barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
  fact("sync core", error_of(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)));
  fact("global", barrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED));
  fact("register global", barrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED));
  fact("unknown", error_of(barrier(1 << 20)));
  fact("flags", error_of(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 1, 0)));
}

int main(void) {
  prctl(PR_SET_NAME, "the first");
  sem_init(&ready, 0, 0);
  sem_init(&leave, 0, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, wait_here, NULL);
  sem_wait(&ready);
  // It waits, and is seen to.
  char text[4096];
  do read_file(task(other, "status"), text, sizeof text);
  while (strstr(text, "S (sleeping)") == NULL);
  list();
  names(thread);
  scheduling();
  barriers();
  const int held = open(task(other, "comm"), O_RDONLY);
  sem_post(&leave);
  pthread_join(thread, NULL);
  for (int round = 0; round < 100 && access(task(other, "comm"), F_OK) == 0; ++round) sleep_ms(10);
  show("gone", task(other, "comm"));
  fact("read of what was open", error_of(read(held, text, 10)));
  pthread_create(&thread, NULL, show_mine, NULL);
  pthread_join(thread, NULL);
  fact("still", error_of(read(held, text, 10)));
  return 0;
}
