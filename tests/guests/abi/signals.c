// Handlers, masks, alternate stacks, and what a handler sees.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int count;
static void on_count(int signal) { count += signal; }

static char* page;
static volatile int repaired;
static void on_write_fault(int signal, siginfo_t* information, void* context) {
  (void)signal;
  repaired += information->si_addr == page + 8 && information->si_code == SEGV_ACCERR;
  const ucontext_t* frame = context;
  repaired += (frame->uc_mcontext.gregs[REG_ERR] & 2) != 0 && frame->uc_mcontext.gregs[REG_TRAPNO] == 14;
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static char alternate[65536];
static volatile int on_alternate;
static sigjmp_buf after;
static void on_overflow(int signal, siginfo_t* information, void* context) {
  (void)signal;
  (void)context;
  char here;
  on_alternate = &here >= alternate && &here < alternate + sizeof alternate && information->si_code == SEGV_MAPERR;
  siglongjmp(after, 1);
}
static int overflow(int depth) {
  volatile char frame[4096];
  frame[depth % 4096] = (char)depth;
  return overflow(depth + 1) + frame[depth % 4096];
}

static void on_skip(int signal, siginfo_t* information, void* context) {
  ucontext_t* frame = context;
  printf("signal %d code %d address %s\n", signal, information->si_code,
         information->si_addr == (void*)frame->uc_mcontext.gregs[REG_RIP] ? "rip" : information->si_addr ? "other" : "0");
  frame->uc_mcontext.gregs[REG_RIP] += signal == SIGTRAP ? 0 : 2;
}

static volatile double kept = 1.5;
static void on_float(int signal) {
  (void)signal;
  volatile double other = 3.25;
  for (int i = 0; i < 10; i++) other *= 1.5;
}

static volatile int order[8], order_count;
static void on_real_time(int signal, siginfo_t* information, void* context) {
  (void)context;
  order[order_count++] = (signal - SIGRTMIN) * 100 + information->si_value.sival_int;
}

int main(void) {
  struct sigaction counting = {.sa_handler = on_count};
  sigaction(SIGUSR1, &counting, 0);
  raise(SIGUSR1);
  printf("handled: %d\n", count);

  sigset_t set, old, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  raise(SIGUSR1);
  raise(SIGUSR1);
  sigpending(&pending);
  printf("blocked: %d, pending %d\n", count, sigismember(&pending, SIGUSR1));
  sigprocmask(SIG_SETMASK, &old, 0);
  printf("unblocked: %d\n", count);

  sigprocmask(SIG_BLOCK, &set, 0);
  raise(SIGUSR1);
  siginfo_t information;
  struct timespec none = {0, 0};
  printf("sigtimedwait: %d %d\n", sigtimedwait(&set, &information, &none) == SIGUSR1, information.si_pid == getpid());
  printf("again: %s\n", sigtimedwait(&set, 0, &none) < 0 ? strerrorname_np(errno) : "?");
  raise(SIGUSR1);
  sigset_t empty;
  sigemptyset(&empty);
  printf("sigsuspend: %s, ", sigsuspend(&empty) < 0 ? strerrorname_np(errno) : "?");
  printf("%d\n", count);
  sigprocmask(SIG_SETMASK, 0, &old);
  printf("mask is back: %d\n", sigismember(&old, SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &set, 0);

  counting.sa_flags = SA_RESETHAND;
  sigaction(SIGUSR2, &counting, 0);
  raise(SIGUSR2);
  sigaction(SIGUSR2, 0, &counting);
  printf("reset: %d\n", counting.sa_handler == SIG_DFL);
  signal(SIGUSR2, SIG_IGN);
  raise(SIGUSR2);

  page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction fault = {.sa_sigaction = on_write_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &fault, 0);
  page[8] = 5;
  printf("repaired: %d, %d\n", repaired, page[8]);

  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  printf("sigaltstack: %d\n", sigaltstack(&stack, 0));
  stack.ss_size = 100;
  printf("too small: %s\n", sigaltstack(&stack, 0) < 0 ? strerrorname_np(errno) : "?");
  fault.sa_sigaction = on_overflow;
  fault.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &fault, 0);
  if (sigsetjmp(after, 1) == 0) overflow(0);
  printf("stack overflow on the alternate stack: %d\n", on_alternate);

  struct sigaction skip = {.sa_sigaction = on_skip, .sa_flags = SA_SIGINFO};
  sigaction(SIGILL, &skip, 0);
  sigaction(SIGFPE, &skip, 0);
  sigaction(SIGTRAP, &skip, 0);
  sigaction(SIGSEGV, &skip, 0);
  __asm__ volatile("ud2");
  __asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx");
  __asm__ volatile("int3");
  __asm__ volatile("hlt; nop");
  signal(SIGSEGV, SIG_DFL);

  signal(SIGUSR1, on_float);
  double value = kept * 2;
  __asm__ volatile("" : "+x"(value));
  syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
  __asm__ volatile("" : "+x"(value));
  printf("floating point is kept: %.2f\n", value);

  struct sigaction real_time = {.sa_sigaction = on_real_time, .sa_flags = SA_SIGINFO};
  sigemptyset(&set);
  for (int i = 0; i < 2; i++) {
    sigaction(SIGRTMIN + i, &real_time, 0);
    sigaddset(&set, SIGRTMIN + i);
    sigaddset(&real_time.sa_mask, SIGRTMIN + i);
  }
  sigaction(SIGRTMIN, &real_time, 0);
  sigprocmask(SIG_BLOCK, &set, 0);
  for (int i = 1; i <= 3; i++) {
    union sigval number = {.sival_int = i};
    sigqueue(getpid(), SIGRTMIN + i % 2, number);
  }
  sigprocmask(SIG_UNBLOCK, &set, 0);
  printf("real-time:");
  int total = 0;
  for (int i = 0; i < order_count; i++) total += order[i];
  printf(" %d signals, sum %d\n", order_count, total);
  printf("kill of nobody: %s\n", kill(99999, 0) < 0 ? strerrorname_np(errno) : "?");
  printf("signal 65: %s\n", kill(getpid(), 65) < 0 ? strerrorname_np(errno) : "?");
  return 0;
}
