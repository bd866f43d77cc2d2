// A fault in a signal handler that runs on its own stack, while a fault is handled.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
static char alt[65536];
__attribute__((noinline)) void inner(void) {
  *(volatile int*)16 = 1;
}
__attribute__((noinline)) void handler(int s) {
  (void)s;
  inner();
}
__attribute__((noinline)) int fault(int* p) {
  return *(volatile int*)p;
}
int main(void) {
  stack_t st;
  memset(&st, 0, sizeof st);
  st.ss_sp = alt;
  st.ss_size = sizeof alt;
  sigaltstack(&st, 0);
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_handler = handler;
  sa.sa_flags = SA_ONSTACK | SA_NODEFER | SA_RESETHAND;
  sigaction(SIGSEGV, &sa, 0);
  return fault(0) + 1;
}
