// A handler of SIGSEGV that dies itself: the stack goes through a signal frame back to the first fault.
#include <signal.h>

#include "chain.h"

void on_signal(int signal) {
  chain_sink = signal;
  DIE_WITH("", "ud2");  // frame: on_signal
}

void die(int argument) {
  signal(SIGSEGV, on_signal);
  int* volatile nowhere = (int*)8;
  *nowhere = argument;  // frame: die
}
