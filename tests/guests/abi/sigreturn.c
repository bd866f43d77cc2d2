// What rt_sigreturn does with a frame that a handler changed: segments and extended state that the processor would
// refuse are the program's fault, and others are taken.
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <xmmintrin.h>

#include "abi.h"

enum { STRICT_STACK_SEGMENT = 4 };  // UC_STRICT_RESTORE_SS
static struct {
  int code, stack;  // segments; -1: as they are
  int is_not_strict;
  uint32_t mxcsr;      // bits that are changed
  uint64_t header[3];  // of XSAVE's area: bits that are changed
} wanted;
static sigjmp_buf after;

static void on_change(int signal, siginfo_t* information, void* context) {
  (void)signal, (void)information;
  ucontext_t* frame = context;
  // struct sigcontext: cs, gs, fs, ss in one register's place.
  uint16_t segments[4];
  memcpy(segments, &frame->uc_mcontext.gregs[REG_CSGSFS], sizeof segments);
  if (wanted.code >= 0) segments[0] = (uint16_t)wanted.code;
  if (wanted.stack >= 0) segments[3] = (uint16_t)wanted.stack;
  memcpy(&frame->uc_mcontext.gregs[REG_CSGSFS], segments, sizeof segments);
  if (wanted.is_not_strict) frame->uc_flags &= ~(unsigned long)STRICT_STACK_SEGMENT;
  frame->uc_mcontext.fpregs->mxcsr ^= wanted.mxcsr;
  uint64_t* header = (uint64_t*)((char*)frame->uc_mcontext.fpregs + 512);
  for (int index = 0; index < 3; ++index)
    if (wanted.header[index] != 0) header[index] ^= wanted.header[index];
}

static void on_fault(int signal, siginfo_t* information, void* context) {
  const ucontext_t* frame = context;
  uint16_t segments[4];
  memcpy(segments, &frame->uc_mcontext.gregs[REG_CSGSFS], sizeof segments);
  printf("signal %d, code %d, address %p, ", signal, information->si_code, information->si_addr);
  if (wanted.code >= 0 || wanted.stack >= 0)
    printf("trap %lld, error %#llx, cs %#x, ss %#x, ", (long long)frame->uc_mcontext.gregs[REG_TRAPNO],
           (long long)frame->uc_mcontext.gregs[REG_ERR], segments[0], segments[3]);
  siglongjmp(after, 1);
}

static void change(const char* what) {
  printf("%s: ", what);
  _mm_setcsr(0x1F80);
  if (sigsetjmp(after, 1) == 0) {
    raise(SIGUSR1);
    printf("went on, ");
  }
  uint16_t code, stack;
  __asm__("mov %%cs, %0; mov %%ss, %1" : "=r"(code), "=r"(stack));
  printf("now cs %#x, ss %#x, mxcsr %#x\n", code, stack, _mm_getcsr());
  memset(&wanted, 0, sizeof wanted);
  wanted.code = wanted.stack = -1;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_change, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  action.sa_sigaction = on_fault;
  sigaction(SIGSEGV, &action, NULL);
  wanted.code = wanted.stack = -1;
  change("unchanged");
  static const int kCode[] = {0, 3, 0x30, 0x10, 0x13, 0x2b, 0x1237, 0xffff, 0x63};
  for (unsigned index = 0; index < sizeof kCode / sizeof kCode[0]; ++index) {
    char what[32];
    wanted.code = kCode[index];
    snprintf(what, sizeof what, "code segment %#x", wanted.code);
    change(what);
  }
  static const int kStack[] = {0, 3, 0x28, 0x18, 0x33, 0x1237, 0xfffb};
  for (unsigned index = 0; index < 2 * sizeof kStack / sizeof kStack[0]; ++index) {
    char what[48];
    wanted.stack = kStack[index / 2];
    wanted.is_not_strict = index % 2;
    snprintf(what, sizeof what, "stack segment %#x%s", wanted.stack, index % 2 ? ", not strict" : "");
    change(what);
  }
  wanted.code = 0x1237, wanted.stack = 0;
  change("both");
  wanted.mxcsr = 0x8000;
  change("MXCSR flushes to zero");
  for (int bit = 18; bit < 32; bit += 13) {
    wanted.mxcsr = 1u << bit;
    change("MXCSR with a bit that there is not");
  }
  wanted.header[0] = 1ul << 62;
  change("a feature that there is not");
  wanted.header[1] = 1;
  change("compacted");
  wanted.header[2] = 1;
  change("reserved bytes");
  change("unchanged again");
  return 0;
}
