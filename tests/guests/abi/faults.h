// What happens when a byte is read or written: nothing, or which signal.
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

static sigjmp_buf after;
static volatile int last_signal, last_code;
static void on_fault(int signal, siginfo_t* information, void* context) {
  (void)context;
  last_signal = signal;
  last_code = information->si_code;
  siglongjmp(after, 1);
}

static void touch(const char* what, volatile char* at, int write) {
  last_signal = 0;
  if (sigsetjmp(after, 1) == 0) {
    if (write)
      *at = 1;
    else
      (void)*at;
    printf("%s: fine\n", what);
  } else {
    printf("%s: signal %d code %d\n", what, last_signal, last_code);
  }
}
