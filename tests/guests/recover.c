// Catches its own SIGSEGV twice, on an alternate stack, and goes on: no crash.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static sigjmp_buf after_fault;
static volatile int faults;
static void* volatile last_address;

static void on_fault(int signal, siginfo_t* information, void* context) {
  (void)context;
  faults += signal == SIGSEGV;
  last_address = information->si_addr;
  siglongjmp(after_fault, 1);
}

int main(void) {
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &action, 0);
  for (volatile int i = 0; i < 2; i++) {
    if (sigsetjmp(after_fault, 1) == 0) *(volatile int*)(0x123400ul + i) = 1;
    printf("recovered from a fault at %p\n", last_address);
  }
  return faults == 2 ? 0 : 1;
}
