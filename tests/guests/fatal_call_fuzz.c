// Random system calls that may end or break the program, which syscall_fuzz.c leaves out: `fatal_call_fuzz SECONDS
// SEED`. Ends, forks, threads on wild stacks, signals of any kind, frames of signal handlers with random words, segment
// bases, rseq areas and robust lists anywhere, the break, files of the root; structures whose pointers are the kernel's
// or wild. It lives through its faults where it can, may die at any call, and is started again with another seed
// (tests/e2e/test_syscall_fuzz.py). The kernel may not die, nor give it memory of its own: a line that begins with
// BROKEN says so.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "fuzz_arguments.h"

enum { OUTPUT = 900, CHILDREN = 8, CHILD_STACK = 32768 };
static struct random g_random;
static char g_child_stacks[CHILDREN][CHILD_STACK] __attribute__((aligned(64)));
static unsigned long g_calls;

// Not /lost+found: e2fsck -p gives up where that is no folder, and a program may make it one.
static const char* const kPaths[] = {"/var/fuzz0",
                                     "/var/fuzz1",
                                     "/var/fuzz2",
                                     "/var/fuzz-folder",
                                     "/var/fuzz-folder/file",
                                     "/var/fuzz-folder/other",
                                     "/var",
                                     "/",
                                     "/etc/hosts",
                                     "/etc/passwd",
                                     "/etc",
                                     "/etc/mortem.manifest",
                                     "/bin/fatal_call_fuzz",
                                     "/bin",
                                     "/root",
                                     "/var/fuzz-link",
                                     "/var/fuzz-link/file",
                                     "/usr/lib",
                                     "/tmp/fuzz",
                                     "/var/fuzz-socket",
                                     "/var/a-name-that-is-longer-than-the-others-and-makes-directories-grow",
                                     ".",
                                     "..",
                                     ""};
static uint64_t path(struct random* random) {
  return one_in(random, 16) ? pointer(random) : (uint64_t)kPaths[below(random, sizeof kPaths / sizeof kPaths[0])];
}

static void say(const char* text) {
  call(SYS_write, (const uint64_t[6]){OUTPUT, (uint64_t)text, strlen(text), 0, 0, 0});
}

static void broken(long number, long result) {
  char line[96];
  snprintf(line, sizeof line, "BROKEN call %ld = %ld\n", number, result);
  say(line);
  call(SYS_exit_group, (const uint64_t[6]){99, 0, 0, 0, 0, 0});
}

static long call0(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  const uint64_t argument[6] = {a, b, c, d, e, f};
  return call(number, argument);
}

// Never memory of the program.
static uint64_t no_address(struct random* random) {
  if (one_in(random, 4)) return (uint64_t)g_none + below(random, PAGE);
  if (one_in(random, 4)) return 8 + below(random, 0x8000);
  uint64_t address = 0;
  while (!is_kernel_address(address)) address = kernel_address(random);
  return address;
}

// Buffers of which only the first `good` bytes are the program's. More than those must not go anywhere.
static uint64_t buffers(struct random* random, struct iovec* to, int count) {
  static char bytes[64];
  uint64_t good = 0;
  int is_good = 1;
  for (int index = 0; index < count; ++index) {
    if (is_good && one_in(random, 2)) {
      to[index] = (struct iovec){bytes, below(random, sizeof bytes)};
      good += to[index].iov_len;
    } else {
      is_good = 0;
      to[index] =
          (struct iovec){(void*)no_address(random), one_in(random, 4) ? length(random) : 1 + below(random, 5000)};
    }
  }
  return is_good ? ~0ul : good;
}

static int connected_pair(struct random* random, int ends[2]) {
  if (one_in(random, 3)) return pipe2(ends, O_NONBLOCK);
  static const int kTypes[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  return socketpair(AF_UNIX, kTypes[below(random, 3)] | SOCK_NONBLOCK, 0, ends);
}

static void vectors(struct random* random) {
  struct iovec vector[6];
  const int count = 1 + (int)below(random, 6);
  const uint64_t good = buffers(random, vector, count);
  int ends[2];
  static const char kContent[8192];
  if (one_in(random, 3)) {  // a file of the root
    ends[0] = ends[1] = open(kPaths[below(random, 3)], O_RDWR | O_CREAT, 0600);
    if (ends[0] < 0) return;
    (void)!pwrite(ends[0], kContent, sizeof kContent, 0);
  } else {
    if (connected_pair(random, ends) != 0) return;
    (void)!write(ends[1], kContent, sizeof kContent);
  }
  struct msghdr message = {.msg_iov = one_in(random, 10) ? (void*)no_address(random) : vector,
                           .msg_iovlen = one_in(random, 20) ? next(random) : (size_t)count,
                           .msg_name = one_in(random, 3) ? (void*)no_address(random) : NULL,
                           .msg_namelen = one_in(random, 3) ? (socklen_t)next(random) : 16,
                           .msg_control = one_in(random, 3) ? (void*)no_address(random) : NULL,
                           .msg_controllen = one_in(random, 3) ? next(random) : 64};
  struct mmsghdr messages[2] = {{.msg_hdr = message}, {.msg_hdr = message}};
  long number = 0, result = 0;
  switch (below(random, 9)) {
    case 0:
      result = call0(number = SYS_readv, (uint64_t)ends[0], (uint64_t)vector, (uint64_t)count, 0, 0, 0);
      break;
    case 1:
      result = call0(number = SYS_writev, (uint64_t)ends[1], (uint64_t)vector, (uint64_t)count, 0, 0, 0);
      break;
    case 2:
      result = call0(number = SYS_preadv, (uint64_t)ends[0], (uint64_t)vector, (uint64_t)count, 0, 0, 0);
      break;
    case 3:
      result = call0(number = SYS_pwritev2, (uint64_t)ends[1], (uint64_t)vector, (uint64_t)count, 0, 0, 0);
      break;
    case 4:
      result = call0(number = SYS_sendmsg, (uint64_t)ends[1], (uint64_t)&message, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0);
      break;
    case 5:
      result = call0(number = SYS_recvmsg, (uint64_t)ends[0], (uint64_t)&message, MSG_DONTWAIT, 0, 0, 0);
      break;
    case 6:
      (void)call0(SYS_sendmmsg, (uint64_t)ends[1], (uint64_t)messages, below(random, 4), MSG_DONTWAIT | MSG_NOSIGNAL, 0,
                  0);
      break;
    case 7:
      (void)call0(SYS_recvmmsg, (uint64_t)ends[0], (uint64_t)messages, below(random, 4), MSG_DONTWAIT, 0, 0);
      break;
    case 8:
      result = call0(number = one_in(random, 2) ? SYS_process_vm_readv : SYS_vmsplice, 2, (uint64_t)vector,
                     (uint64_t)count, (uint64_t)vector, (uint64_t)count, 0);
      break;
  }
  if (result > 0 && (uint64_t)result > good) broken(number, result);
  close(ends[0]);
  if (ends[1] != ends[0]) close(ends[1]);
}

// Into files of the root, and out of them.
static void files(struct random* random) {
  const uint64_t file = 3 + below(random, 20), one = path(random), other = path(random);
  const uint64_t place = one_in(random, 8) ? next(random) : below(random, 1 << 22), size = below(random, 1 << 16);
  switch (below(random, 24)) {
    case 0:
    case 1:
    case 2:
      call0(SYS_open, one, one_in(random, 2) ? O_RDWR | O_CREAT : next(random) & 0x3fffff, 0600, 0, 0, 0);
      break;
    case 3:
    case 4:
      call0(SYS_pwrite64, file, arena_page(random), size, place, 0, 0);
      break;
    case 5:
      call0(SYS_pread64, file, arena_page(random), size, place, 0, 0);
      break;
    case 6:
      call0(SYS_rename, one, other, 0, 0, 0, 0);
      break;
    case 7:
      call0(SYS_renameat2, (uint64_t)-100, one, (uint64_t)-100, other, below(random, 4), 0);
      break;
    case 8:
      call0(SYS_unlink, one, 0, 0, 0, 0, 0);
      break;
    case 9:
      call0(SYS_link, one, other, 0, 0, 0, 0);
      break;
    case 10:
      call0(SYS_symlink, one, other, 0, 0, 0, 0);
      break;
    case 11:
      call0(SYS_mkdir, one, next(random) & 07777, 0, 0, 0, 0);
      break;
    case 12:
      call0(SYS_rmdir, one, 0, 0, 0, 0, 0);
      break;
    case 13:
      call0(SYS_truncate, one, place, 0, 0, 0, 0);
      break;
    case 14:
      call0(SYS_ftruncate, file, place, 0, 0, 0, 0);
      break;
    case 15:
      call0(SYS_fallocate, file, below(random, 8), place, size, 0, 0);
      break;
    case 16:
      call0(SYS_chmod, one, next(random) & 07777, 0, 0, 0, 0);
      break;
    case 17:
      call0(SYS_chown, one, next(random), next(random), 0, 0, 0);
      break;
    case 18:
      call0(SYS_utimensat, (uint64_t)-100, one, pointer(random), 0, 0, 0);
      break;
    case 19:
      call0(one_in(random, 2) ? SYS_fsync : SYS_fdatasync, file, 0, 0, 0, 0, 0);
      break;
    case 20:
      call0(SYS_mmap, arena_page(random), 8 * PAGE, below(random, 8), MAP_FIXED | (1 + below(random, 2)), file,
            below(random, 16) * PAGE);
      break;
    case 21:
      call0(SYS_mknod, one, next(random) & 0177777, next(random), 0, 0, 0);
      break;
    case 22:
      call0(SYS_copy_file_range, file, 0, 3 + below(random, 20), 0, size, 0);
      break;
    case 23:
      call0(SYS_close, file, 0, 0, 0, 0, 0);
      break;
  }
}

// What a thread of clone's does before it ends. It has no stack but its own, and no library's state.
static void child_life(void) {
  struct random random = {next(&g_random)};
  for (int round = (int)below(&random, 4); round > 0; --round) {
    const uint64_t somewhere = one_in(&random, 2) ? pointer(&random) : arena_address(&random) & ~31ul;
    switch (below(&random, 5)) {
      case 0:
        call0(SYS_set_robust_list, somewhere, 24, 0, 0, 0, 0);
        break;
      case 1:
        call0(SYS_set_tid_address, somewhere, 0, 0, 0, 0, 0);
        break;
      case 2:
        call0(SYS_rseq, somewhere, 32, below(&random, 2), next(&random), 0, 0);
        break;
      case 3:
        call0(SYS_futex, somewhere & ~3ul, below(&random, 14), next(&random), 0, arena_address(&random) & ~3ul,
              next(&random));
        break;
      case 4:
        call0(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
        break;
    }
  }
  call0(SYS_exit, next(&random), 0, 0, 0, 0, 0);
}

// clone and its kin; whoever comes back as somebody new leads a child's life, if its stack can be used at all.
static long begin_thread(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
  register uint64_t r10 __asm__("r10") = d, r8 __asm__("r8") = e;
  long result;
  __asm__ volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 1f\n"
      "xor %%ebp, %%ebp\n"
      "and $-16, %%rsp\n"
      "call *%[life]\n"
      "1:"
      : "=a"(result)
      : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), [life] "r"(child_life)
      : "rcx", "r11", "memory");
  return result;
}

static void threads(struct random* random) {
  const uint64_t stack = (uint64_t)g_child_stacks[below(random, CHILDREN)] + CHILD_STACK - 64;
  const uint64_t usual = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  uint64_t flags = usual;
  if (one_in(random, 3)) flags |= CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  if (one_in(random, 6)) flags |= CLONE_SETTLS;
  if (one_in(random, 20)) flags ^= 1ul << below(random, 34);
  const uint64_t where = one_in(random, 400) ? pointer(random) : stack, told = arena_address(random) & ~3ul;
  switch (below(random, 10)) {
    case 0:
      begin_thread(SYS_fork, 0, 0, 0, 0, 0);
      break;
    case 1:
      begin_thread(SYS_vfork, 0, 0, 0, 0, 0);
      break;
    case 2:
    case 3: {
      uint64_t request[11] = {flags & ~0xfful,
                              0,
                              told,
                              told,
                              one_in(random, 8) ? anything(random) : 0,
                              (uint64_t)g_child_stacks[below(random, CHILDREN)],
                              CHILD_STACK,
                              pointer(random)};
      if (one_in(random, 100)) request[below(random, 11)] = anything(random);
      begin_thread(435 /* SYS_clone3 */, one_in(random, 8) ? pointer(random) : (uint64_t)request,
                   one_in(random, 8) ? length(random) : sizeof request, 0, 0, 0);
      break;
    }
    default:
      begin_thread(SYS_clone, flags, where, one_in(random, 4) ? pointer(random) : told,
                   one_in(random, 4) ? pointer(random) : told, pointer(random));
  }
}

// The frame that rt_sigreturn takes next has random words, mostly those that can be lived with.
static void on_change(int signal, siginfo_t* information, void* context) {
  (void)signal, (void)information;
  struct random* const random = &g_random;
  ucontext_t* frame = context;
  char* const state = (char*)frame->uc_mcontext.fpregs;
  for (int count = (int)below(random, 3); count >= 0; --count) switch (below(random, 8)) {
      case 0:  // segments
        frame->uc_mcontext.gregs[REG_CSGSFS] ^= (long long)(1ul << below(random, 64));
        break;
      case 1:
        if (one_in(random, 4)) frame->uc_mcontext.gregs[below(random, 23)] = (long long)anything(random);
        break;
      case 2:
        if (one_in(random, 3)) frame->uc_mcontext.fpregs = (void*)(one_in(random, 4) ? 0 : pointer(random) & ~63ul);
        break;
      case 3:
        frame->uc_flags ^= 1ul << below(random, 64);
        break;
      case 4:
        frame->uc_stack.ss_sp = (void*)pointer(random);
        frame->uc_stack.ss_size = length(random);
        frame->uc_stack.ss_flags = (int)below(random, 8);
        break;
      case 5:
        frame->uc_mcontext.gregs[REG_EFL] ^= 1l << below(random, 22);
        break;
      case 6:
        if (frame->uc_mcontext.fpregs != NULL) memset(state + below(random, 830), (int)next(random), 2);
        break;
      case 7:
        memset(&frame->uc_sigmask, (int)next(random), 2);
        break;
    }
}

static void ignore(int signal) {
  (void)signal;
}

// What can be lived through is: else hardly a boot would see many calls. A thread that faults ends.
static sigjmp_buf g_again;
static char g_alternate[65536];
static void on_fault(int signal) {
  (void)signal;
  if (call0(SYS_gettid, 0, 0, 0, 0, 0, 0) != 2) call0(SYS_exit, 0, 0, 0, 0, 0, 0);
  siglongjmp(g_again, 1);
}

static void be_ready_for_faults(void) {
  const stack_t stack = {.ss_sp = g_alternate, .ss_size = sizeof g_alternate};
  sigaltstack(&stack, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  static const int kFaults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
  for (size_t index = 0; index < sizeof kFaults / sizeof kFaults[0]; ++index)
    sigaction(kFaults[index], &(struct sigaction){.sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER}, NULL);
}

static void signals(struct random* random) {
  const uint64_t process = one_in(random, 4) ? anything(random) : (uint64_t)getpid();
  const uint64_t thread = one_in(random, 4) ? anything(random) : process + below(random, 4);
  const uint64_t signal = one_in(random, 400) ? next(random) & 127
                          : one_in(random, 2) ? SIGUSR2
                                              : 34 + below(random, 30);
  switch (below(random, 12)) {
    case 0:
    case 1:
    case 2:
      call0(SYS_tgkill, (uint64_t)getpid(), (uint64_t)getpid(), SIGUSR2, 0, 0, 0);
      break;
    case 3:
      call0(SYS_kill, process, signal, 0, 0, 0, 0);
      break;
    case 4:
      call0(SYS_tkill, thread, signal, 0, 0, 0, 0);
      break;
    case 5:
      call0(SYS_tgkill, process, thread, signal, 0, 0, 0);
      break;
    case 6:
      call0(SYS_rt_sigqueueinfo, process, signal, pointer(random), 0, 0, 0);
      break;
    case 7:
      call0(SYS_rt_tgsigqueueinfo, process, thread, signal, pointer(random), 0, 0);
      break;
    case 8:
      call0(SYS_rt_sigprocmask, below(random, 4), pointer(random), pointer(random),
            one_in(random, 6) ? length(random) : 8, 0, 0);
      break;
    case 9:
      call0(SYS_sigaltstack, pointer(random), pointer(random), 0, 0, 0, 0);
      break;
    case 10:
      call0(SYS_rt_sigaction, 34 + below(random, 31), pointer(random), pointer(random),
            one_in(random, 6) ? length(random) : 8, 0, 0);
      break;
    case 11:
      call0(SYS_rt_sigtimedwait, arena_address(random) & ~7ul, pointer(random), (uint64_t) & (struct timespec){0, 1000},
            8, 0, 0);
      break;
  }
}

static void settings(struct random* random) {
  const uint64_t now = (uint64_t)call0(SYS_brk, 0, 0, 0, 0, 0, 0);
  switch (below(random, 10)) {
    case 0:
    case 1:
      call0(SYS_brk, one_in(random, 4) ? anything(random) : now + below(random, 1 << 20), 0, 0, 0, 0, 0);
      break;
    case 2:
      call0(SYS_brk, now - below(random, 1 << 16), 0, 0, 0, 0, 0);
      break;
    case 3:
      call0(SYS_arch_prctl, 0x1001 + below(random, 4), one_in(random, 20) ? next(random) : kernel_address(random), 0, 0,
            0, 0);
      break;
    case 4:
      call0(SYS_arch_prctl, one_in(random, 2) ? 0x1001 /* ARCH_SET_GS */ : next(random), pointer(random), 0, 0, 0, 0);
      break;
    case 5:
      call0(SYS_set_robust_list, pointer(random), one_in(random, 4) ? length(random) : 24, 0, 0, 0, 0);
      break;
    case 6:
      call0(SYS_rseq, pointer(random), one_in(random, 4) ? length(random) : 32, below(random, 2), next(random), 0, 0);
      break;
    case 7: {
      uint64_t arguments[4] = {path(random), pointer(random), pointer(random), 0};
      call0(one_in(random, 2) ? SYS_execve : SYS_execveat, path(random),
            one_in(random, 3) ? pointer(random) : (uint64_t)arguments, pointer(random), pointer(random), 0, 0);
      break;
    }
    case 8:
      call0(SYS_setrlimit, below(random, 17), arena_address(random) & ~7ul, 0, 0, 0, 0);
      break;
    case 9:
      call0(SYS_set_tid_address, pointer(random), 0, 0, 0, 0, 0);
      break;
  }
}

static void words(struct random* random) {
  static int pair[2] = {-1, -1};
  if (one_in(random, 200))
    call0(SYS_mmap, (uint64_t)g_arena, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, ~0ul, 0);
  uint64_t some[16];
  for (int index = 0; index < 16; ++index) some[index] = anything(random);
  if (fcntl(pair[0], F_GETFD) < 0 && pipe2(pair, O_NONBLOCK) != 0) return;
  if (write(pair[1], some, sizeof some) == sizeof some)
    call0(SYS_read, (uint64_t)pair[0], arena_address(random) & ~7ul, sizeof some, 0, 0, 0);
}

// Whatever the others do, it is over then; with a last word first.
static void* end_in_time(void* seconds) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  struct timespec left = {(time_t)seconds, 0};
  syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &left, NULL);
  char line[64];
  snprintf(line, sizeof line, "%lu rounds, in time\n", g_calls);
  say(line);
  call0(SYS_exit_group, 0, 0, 0, 0, 0, 0);
  return NULL;
}

int main(int count, char** arguments) {
  const long seconds = count > 1 ? atol(arguments[1]) : 5;
  g_random.state = count > 2 ? strtoul(arguments[2], NULL, 0) : 1;
  if (getpid() != 2) return fprintf(stderr, "only for a guest\n"), 2;
  dup2(1, OUTPUT);
  for (int signal = 34; signal <= 64; ++signal) sigaction(signal, &(struct sigaction){.sa_handler = ignore}, NULL);
  sigaction(SIGUSR2, &(struct sigaction){.sa_sigaction = on_change, .sa_flags = SA_SIGINFO}, NULL);
  sigaction(SIGALRM, &(struct sigaction){.sa_handler = ignore}, NULL);
  sigaction(SIGPIPE, &(struct sigaction){.sa_handler = ignore}, NULL);
  g_none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_fixed = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mmap(g_arena, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != g_arena) return 2;
  pthread_t watch;
  if (pthread_create(&watch, NULL, end_in_time, (void*)seconds) != 0) return 2;
  be_ready_for_faults();
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 20000}, {0, 20000}}, NULL);  // nobody waits for ever
  static void (*const kKinds[])(struct random*) = {vectors, files, files, files, threads, signals, settings, words};
  static struct random random;
  random.state = next(&g_random);
  (void)sigsetjmp(g_again, 1);
  while (1) {
    if (one_in(&random, 50)) be_ready_for_faults();
    kKinds[below(&random, sizeof kKinds / sizeof kKinds[0])](&random);
    if (one_in(&random, 20000)) call0(one_in(&random, 2) ? SYS_exit : SYS_exit_group, next(&random), 0, 0, 0, 0, 0);
    if (++g_calls % 100 != 0) continue;
    char line[64];
    snprintf(line, sizeof line, "%lu rounds\n", g_calls);
    say(line);
  }
}
