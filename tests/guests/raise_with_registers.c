// Sends itself SIGABRT by the bare system call, with all registers planted: the dump's registers are those after a
// system call (rax its result, rcx and r11 overwritten by the CPU), all from the same moment.
#include <sys/syscall.h>
#include <unistd.h>

#include "chain.h"

__attribute__((used)) uint64_t own_process, own_thread;

void die(int argument) {
  chain_sink = argument;
  own_process = getpid();
  own_thread = gettid();
  DIE_WITH("mov $234, %%eax\n\tmov own_process(%%rip), %%rdi\n\tmov own_thread(%%rip), %%rsi\n\tmov $6, %%edx",
           "syscall");
  chain_sink = 0;  // frame: die
}
