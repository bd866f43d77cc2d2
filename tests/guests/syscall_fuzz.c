// Random system calls with random arguments, from several threads, for some seconds: `syscall_fuzz SECONDS SEED`.
// Nothing that ends or breaks the program by right is called (exit, kill, a munmap of its own code): whatever ends it
// early is a bug of the kernel. It says "fine" at its end. The same seed gives each thread the same calls.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "fuzz_arguments.h"

enum { THREADS = 4, HIGHEST_CALL = 460, PAIR = 500 };
static atomic_ulong g_calls, g_fine;
static atomic_int g_broken;
static int g_pair[2];  // through which words go into the arena

static const char* const kPaths[] = {"/tmp/fuzz0",
                                     "/tmp/fuzz1",
                                     "/tmp/fuzz-folder",
                                     "/tmp/fuzz-folder/file",
                                     "/tmp",
                                     "/",
                                     "",
                                     ".",
                                     "..",
                                     "/dev/null",
                                     "/dev/zero",
                                     "/dev/urandom",
                                     "/proc/self/maps",
                                     "/proc/self/fd/5",
                                     "/proc/self/task",
                                     "/proc/self/status",
                                     "/proc/self/smaps",
                                     "/proc/self/smaps_rollup",
                                     "/proc/self/io",
                                     "/proc/net/tcp",
                                     "/proc/net/dev",
                                     "/sys/class/net/lo/statistics/rx_bytes",
                                     "/proc/self/exe",
                                     "/proc/meminfo",
                                     "/sys/devices/system/cpu/online",
                                     "/tmp/fuzz0/below",
                                     "/nowhere",
                                     "/proc/self/task/2/../../maps",
                                     "/tmp/fuzz-link",
                                     "/tmp/fuzz-socket"};
static uint64_t path(struct random* random) {
  return one_in(random, 8) ? pointer(random) : (uint64_t)kPaths[below(random, sizeof kPaths / sizeof kPaths[0])];
}

// A part of the arena, or what is never memory of the program.
static void mapping(struct random* random, uint64_t* address, uint64_t* size) {
  if (one_in(random, 6)) {
    *address = kernel_address(random);
    *size = length(random);
    return;
  }
  *address = one_in(random, 8) ? arena_address(random) : arena_page(random);
  const uint64_t left = (uint64_t)g_arena + ARENA - *address;
  *size = one_in(random, 12) ? 0xfffful << 47 : below(random, left / PAGE + 1) * PAGE;
  if (*size > left && *size < 1ul << 47) *size = left & ~(PAGE - 1ul);
}

// Shapes arguments of calls that need it, so that the program itself survives; false: not this call.
static int shape(long number, uint64_t* argument, struct random* random) {
  switch (number) {
    case SYS_exit:
    case SYS_exit_group:
    case SYS_rt_sigreturn:
    case SYS_fork:
    case SYS_vfork:
    case SYS_clone:
    case SYS_clone3:
    case SYS_execve:
    case SYS_execveat:
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_rt_sigqueueinfo:
    case SYS_rt_tgsigqueueinfo:
    case SYS_rt_sigsuspend:
    case SYS_rt_sigprocmask:
    case SYS_arch_prctl:
    case SYS_rseq:
    case SYS_brk:
    case SYS_setrlimit:
    case SYS_timer_create:
    case SYS_pause:
    case SYS_mlockall:
    case SYS_reboot:
    case SYS_rt_sigtimedwait:
      return 0;
    case SYS_rt_sigaction:
      argument[0] = 40 + below(random, 40);
      argument[1] = one_in(random, 2) ? 0 : kernel_address(random);
      return 1;
    case SYS_prlimit64:
      argument[2] = one_in(random, 2) ? 0 : kernel_address(random);
      return 1;
    case SYS_prctl:
      argument[0] = below(random, 70);
      return 1;
    case SYS_ppoll:
      argument[3] = one_in(random, 8) ? kernel_address(random) : 0;
      return 1;
    case SYS_pselect6:
      argument[5] = one_in(random, 8) ? kernel_address(random) : 0;
      return 1;
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
      argument[4] = one_in(random, 8) ? kernel_address(random) : 0;
      return 1;
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_madvise:
    case SYS_msync:
    case SYS_mincore:
    case SYS_mlock:
    case SYS_munlock:
    case SYS_mlock2:
    case SYS_remap_file_pages:
      mapping(random, &argument[0], &argument[1]);
      argument[2] = number == SYS_mincore ? pointer(random) : below(random, 32);
      return 1;
    case SYS_mmap:
      mapping(random, &argument[0], &argument[1]);
      if (one_in(random, 3)) argument[0] = 0;
      argument[2] = below(random, 8);
      argument[3] = one_in(random, 2) ? 0x32 : next(random) & 0xff0ff & ~0xa000ul;  // no MAP_POPULATE, MAP_LOCKED
      if (argument[0] == 0) argument[3] &= ~0x100010ul;
      if (one_in(random, 2)) argument[4] = FIRST_FILE + below(random, FILES);
      argument[5] = one_in(random, 2) ? 0 : below(random, 16) * PAGE;
      return 1;
    case SYS_mremap: {
      uint64_t ignored;
      mapping(random, &argument[0], &argument[1]);
      mapping(random, &argument[4], &ignored);
      argument[2] = below(random, 64) * PAGE;
      argument[3] = below(random, 8);
      return 1;
    }
    case SYS_shmat:
      argument[1] = one_in(random, 2) ? 0 : arena_page(random);
      return 1;
    case SYS_close_range:
      argument[0] = FIRST_FILE + below(random, FILES);
      argument[1] = argument[0] + below(random, 4);
      return 1;
    case SYS_truncate:
    case SYS_ftruncate:
    case SYS_fallocate:
      argument[0] = number == SYS_truncate ? path(random) : descriptor(random);
      if (number == SYS_fallocate) argument[1] = below(random, 64);
      argument[number == SYS_fallocate ? 2 : 1] = one_in(random, 4) ? next(random) : below(random, 1 << 20);
      argument[3] = one_in(random, 4) ? next(random) : below(random, 1 << 20);
      return 1;
    case SYS_open:
    case SYS_stat:
    case SYS_lstat:
    case SYS_access:
    case SYS_chdir:
    case SYS_mkdir:
    case SYS_rmdir:
    case SYS_unlink:
    case SYS_readlink:
    case SYS_chmod:
    case SYS_statfs:
    case SYS_creat:
      argument[0] = path(random);
      return 1;
    case SYS_rename:
    case SYS_link:
    case SYS_symlink:
      argument[0] = path(random);
      argument[1] = path(random);
      return 1;
    case SYS_openat:
    case SYS_newfstatat:
    case SYS_mkdirat:
    case SYS_unlinkat:
    case SYS_readlinkat:
    case SYS_faccessat:
    case SYS_statx:
    case SYS_fchmodat:
    case SYS_utimensat:
      argument[0] = descriptor(random);
      argument[1] = path(random);
      return 1;
    case SYS_renameat2:
    case SYS_renameat:
    case SYS_linkat:
    case SYS_symlinkat:
      argument[0] = descriptor(random);
      argument[1] = path(random);
      argument[2] = descriptor(random);
      argument[3] = path(random);
      return 1;
    case SYS_socket:
    case SYS_socketpair:
      argument[0] = one_in(random, 8) ? below(random, 50) : below(random, 3);
      argument[1] = one_in(random, 8) ? next(random) : below(random, 6);
      argument[2] = one_in(random, 2) ? 0 : below(random, 20);
      return 1;
    case SYS_dup2:
    case SYS_dup3:
      argument[0] = descriptor(random);
      argument[1] = FIRST_FILE + below(random, FILES);
      return 1;
    default:
      return 1;
  }
}

// Bytes that came from, or went to, the kernel's own memory.
static int touched_kernel(long number, const uint64_t* argument, long result) {
  switch (number) {
    case SYS_read:
    case SYS_write:
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_sendto:
    case SYS_recvfrom:
    case SYS_getdents64:
    case SYS_readlink:
      return result > 0 && is_kernel_address(argument[1]);
    case SYS_getrandom:
    case SYS_getcwd:
      return result > 0 && is_kernel_address(argument[0]);
    case SYS_fstat:
    case SYS_clock_gettime:
    case SYS_nanosleep:
    case SYS_uname:
    case SYS_pipe:
      return result == 0 &&
             is_kernel_address(argument[number == SYS_pipe || number == SYS_uname || number == SYS_nanosleep ? 0 : 1]);
    default:
      return 0;
  }
}

static void open_files(void) {
  int ends[2];
  (void)!pipe(ends);
  (void)!pipe2(ends, O_NONBLOCK);
  for (int type = 1; type < 6; ++type) (void)!socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends);
  (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  (void)!eventfd(1, EFD_NONBLOCK);
  (void)!epoll_create1(0);
  (void)!timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  (void)!open("/tmp/fuzz0", O_RDWR | O_CREAT, 0600);
  (void)!open("/tmp", O_RDONLY | O_DIRECTORY);
  (void)!open("/dev/zero", O_RDWR);
  (void)!open("/dev/null", O_RDWR);
  (void)!open("/proc/self/maps", O_RDONLY);
  (void)!open("/proc/self/fd", O_RDONLY);
  (void)!syscall(SYS_memfd_create, "fuzz", 0);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr name = {AF_UNIX, {0, 'f', 'u', 'z', 'z'}};
  (void)!bind(listener, &name, 7);
  (void)!listen(listener, 4);
  (void)!socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  (void)!socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  (void)!socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMAX);
  (void)!syscall(SYS_signalfd4, -1, &set, 8, 0);
}

static void refresh(struct random* random) {
  // The arena has its pages back, and words in them that calls find as pointers, lengths and descriptors.
  if (one_in(random, 4000))
    mmap(g_arena, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  uint64_t words[16];
  for (int index = 0; index < 16; ++index) words[index] = anything(random);
  const uint64_t request[6] = {(uint64_t)g_pair[1], (uint64_t)words, sizeof words, 0, 0, 0};
  const uint64_t place = arena_address(random) & ~7ul;
  // Through a pipe: a page that is gone is an error there, and no fault here.
  if (call(SYS_write, request) == sizeof words)
    call(SYS_read, (const uint64_t[6]){(uint64_t)g_pair[0], place, sizeof words, 0, 0, 0});
}

// Shared segments that a thread made, places where it attached some, and what it mapped outside of the arena: they
// would fill the memory.
enum { MOST_LEFT = 64 };
struct left {
  uint64_t segments[MOST_LEFT], attached[MOST_LEFT], mapped[MOST_LEFT][2];
  unsigned segment_count, attached_count, mapped_count;
};

// Ends what calls left.
static void tidy(struct left* left) {
  call(SYS_close_range, (const uint64_t[6]){FIRST_FILE + FILES, PAIR - 1, 0, 0, 0, 0});
  call(SYS_close_range, (const uint64_t[6]){PAIR + 2, 1u << 20, 0, 0, 0, 0});
  while (left->segment_count > 0)
    call(SYS_shmctl, (const uint64_t[6]){left->segments[--left->segment_count], 0 /* IPC_RMID */, 0, 0, 0, 0});
  while (left->attached_count > 0)
    call(SYS_shmdt, (const uint64_t[6]){left->attached[--left->attached_count], 0, 0, 0, 0, 0});
  while (left->mapped_count > 0) {
    const uint64_t* mapped = left->mapped[--left->mapped_count];
    call(SYS_munmap, (const uint64_t[6]){mapped[0], mapped[1], 0, 0, 0, 0});
  }
}

static void remember(struct left* left, long number, const uint64_t* argument, long result) {
  const uint64_t value = (uint64_t)result;
  if (value >= (uint64_t)-4095) return;
  if (number == SYS_shmget) left->segments[left->segment_count++] = value;
  if (value - (uint64_t)g_arena < ARENA) return;
  if (number == SYS_shmat) left->attached[left->attached_count++] = value;
  if (number == SYS_mmap || number == SYS_mremap) {
    uint64_t* mapped = left->mapped[left->mapped_count++];
    mapped[0] = value, mapped[1] = number == SYS_mmap ? argument[1] : argument[2];
  }
  if (left->segment_count == MOST_LEFT || left->attached_count == MOST_LEFT || left->mapped_count == MOST_LEFT)
    tidy(left);
}

static void* work(void* seed) {
  struct random random = {(uint64_t)seed};
  struct left left = {0};
  for (unsigned long round = 0;; ++round) {
    if (round % 8 == 0) refresh(&random);
    if (round % 512 == 0) tidy(&left);
    uint64_t argument[6];
    for (int index = 0; index < 6; ++index) argument[index] = anything(&random);
    const long number = one_in(&random, 50) ? (long)next(&random) : (long)below(&random, HIGHEST_CALL);
    if (one_in(&random, 2)) argument[0] = descriptor(&random);
    for (int index = 0; index < 2; ++index)  // standard output stays what it is
      if (argument[index] <= 2) argument[index] = 0;
    if (!shape(number, argument, &random)) continue;
    const long result = call(number, argument);
    ++g_calls;
    if (result >= 0 || result < -4095) ++g_fine;
    remember(&left, number, argument, result);
    if (!touched_kernel(number, argument, result)) continue;
    g_broken = 1;
    printf("call %ld(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx) = %ld\n", number, argument[0], argument[1], argument[2],
           argument[3], argument[4], argument[5], result);
    fflush(stdout);
  }
  return NULL;
}

static void ignore(int signal) {
  (void)signal;
}

int main(int count, char** argument) {
  const long seconds = count > 1 ? atol(argument[1]) : 10;
  const uint64_t seed = count > 2 ? strtoul(argument[2], NULL, 0) : (uint64_t)time(NULL);
  printf("seed %lu\n", seed);
  fflush(stdout);
  for (int signal = 1; signal <= 64; ++signal) {
    struct sigaction action = {.sa_handler = ignore};
    if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP) continue;
    if (signal != 32 && signal != 33) sigaction(signal, &action, NULL);
  }
  g_none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_fixed = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mmap(g_arena, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != g_arena) return 2;
  open_files();
  if (pipe2(g_pair, O_NONBLOCK) != 0) return 2;
  g_pair[0] = fcntl(g_pair[0], F_DUPFD, PAIR);
  g_pair[1] = fcntl(g_pair[1], F_DUPFD, PAIR);
  pthread_t threads[THREADS];
  for (uint64_t index = 0; index < THREADS; ++index)
    if (pthread_create(&threads[index], NULL, work, (void*)(seed * THREADS + index)) != 0) return 2;
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    // Nobody waits for ever.
    for (int index = 0; index < THREADS; ++index) pthread_kill(threads[index], SIGUSR1);
    syscall(SYS_nanosleep, &(struct timespec){0, 10000000}, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - start.tv_sec < seconds && !g_broken);
  dprintf(1, "%lu calls, %lu of them done\n", (unsigned long)g_calls, (unsigned long)g_fine);
  if (g_broken) _exit(1);
  dprintf(1, "fine\n");
  _exit(0);
}
