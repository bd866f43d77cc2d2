// Calls that C libraries have newer ones for, made by their numbers, and what some refuse.
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "abi.h"

static void files(void) {
  char name[] = "/tmp/raw-calls-XXXXXX";
  close(mkstemp(name));
  const int file = syscall(SYS_open, name, O_RDWR);
  fact("open", file >= 0);
  fact("open of nothing", error_of(syscall(SYS_open, "/nothing", O_RDWR)));
  struct iovec parts[] = {{"one ", 4}, {"two", 3}};
  fact("pwritev", syscall(SYS_pwritev, file, parts, 2, 5L, 0L));
  fact("pwritev of a bad vector", error_of(syscall(SYS_pwritev, file, (void*)8, 2, 0L, 0L)));
  struct {
    uint64_t device, inode, links;
    uint32_t mode, user, group, padding;
    uint64_t device_number, size, rest[11];
  } status;
  fact("fstat", syscall(SYS_fstat, file, &status));
  fact("size", status.size);
  fact("fstat of no file", error_of(syscall(SYS_fstat, 999, &status)));
  fact("chown", syscall(SYS_chown, name, getuid(), getgid()));
  fact("chown of nothing", error_of(syscall(SYS_chown, "/nothing", -1, -1)));
  fact("fchown", syscall(SYS_fchown, file, -1, -1));
  fact("fchown of no file", error_of(syscall(SYS_fchown, 999, -1, -1)));
  struct statx more;
  fact("statx", syscall(SYS_statx, AT_FDCWD, name, 0, STATX_BASIC_STATS, &more));
  fact("size", more.stx_size);
  fact("of a descriptor", syscall(SYS_statx, file, "", AT_EMPTY_PATH, STATX_SIZE, &more));
  fact("unknown flag", error_of(syscall(SYS_statx, AT_FDCWD, name, 0x10000, STATX_SIZE, &more)));
  fact("both ways to sync", error_of(syscall(SYS_statx, AT_FDCWD, name, 0x6000, STATX_SIZE, &more)));
  fact("reserved mask", error_of(syscall(SYS_statx, AT_FDCWD, name, 0, 0x80000000, &more)));
  fact("bad buffer", error_of(syscall(SYS_statx, AT_FDCWD, name, 0, STATX_SIZE, (void*)8)));
  unlink(name);
}

static void process(void) {
  fact("getegid", syscall(SYS_getegid) == getgid());
  fact("getppid", syscall(SYS_getppid) >= 0);
  syscall(SYS_setsid);
  fact("setsid again", error_of(syscall(SYS_setsid)));
  struct rlimit limit = {0, 0};
  fact("getrlimit", syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit));
  fact("there is one", limit.rlim_cur > 0);
  fact("getrlimit of nothing", error_of(syscall(SYS_getrlimit, 99, &limit)));
  struct timespec time = timespec_of_ms(5);
  const long before = now_ms();
  fact("nanosleep", syscall(SYS_nanosleep, &time, NULL));
  fact("long enough", now_ms() - before >= 4);
  time.tv_nsec = 1000000000;
  fact("nanosleep of too many nanoseconds", error_of(syscall(SYS_nanosleep, &time, NULL)));
  struct sysinfo system;
  fact("sysinfo", syscall(SYS_sysinfo, &system));
  fact("memory", system.totalram * system.mem_unit > 1 << 20);
}

static char stack[65536] __attribute__((aligned(16)));
static volatile int ran;
static int tid;

// In the new thread there is no C library: its own stack, and two calls.
static void threads(void) {
  const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID |
                     CLONE_CHILD_CLEARTID;
  long result;
  register int* child __asm__("r10") = &tid;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "movl $1, %[ran]\n\t"
      "movl $60, %%eax\n\t"
      "xorl %%edi, %%edi\n\t"
      "syscall\n\t"
      "1:"
      : "=a"(result), [ran] "+m"(ran)
      : "a"(SYS_clone), "D"(flags), "S"(stack + sizeof stack), "d"(&tid), "r"(child)
      : "rcx", "r11", "memory");
  fact("clone", result > 0);
  while (__atomic_load_n(&tid, __ATOMIC_SEQ_CST) != 0) sleep_ms(1);
  fact("ran", ran);
  fact("clone of a thread without its memory", error_of(syscall(SYS_clone, CLONE_THREAD, stack + sizeof stack, 0, 0, 0)));
  struct clone_args wanted = {.flags = flags & ~(CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID),
                              .stack = 0xffffffff80000000, .stack_size = 4096};
  fact("clone3 with the kernel's stack", error_of(syscall(SYS_clone3, &wanted, sizeof wanted)));
  wanted.stack = 4096, wanted.stack_size = -4096;
  fact("clone3 with an endless stack", error_of(syscall(SYS_clone3, &wanted, sizeof wanted)));
}

static char alternate[16384];

static void keep(int signal, siginfo_t* information, void* place) {
  (void)signal, (void)information;
  ucontext_t* context = place;
  fact("alternate stack in the frame", context->uc_stack.ss_sp == alternate);
  context->uc_stack.ss_size = 0;
}

static void signal_frames(void) {
  struct sigaction action = {.sa_sigaction = keep, .sa_flags = SA_SIGINFO};
  stack_t one = {.ss_sp = alternate, .ss_size = sizeof alternate}, now;
  sigaltstack(&one, NULL);
  sigaction(SIGUSR1, &action, NULL);
  raise(SIGUSR1);
  sigaltstack(NULL, &now);
  fact("an unusable one in the frame is ignored", now.ss_sp == alternate && now.ss_size == sizeof alternate);
}

int main(void) {
  files();
  process();
  threads();
  signal_frames();
  return 0;
}
