// Asks the kernel for a double fault, by the file that `provoke-crash=on` makes.
#include <fcntl.h>
#include <stdio.h>

#include "chain.h"

const char provoke_word[] = "DOUBLE_FAULT";

void die(int argument) {
  int provoke = open("/sys/kernel/debug/provoke-crash/DIRECT", O_WRONLY);
  if (provoke < 0) {
    perror("provoke-crash");
    return;
  }
  chain_sink = argument;
  plant_address = (uint64_t)provoke_word;
  // write(3, provoke_word, length): the first file a program opens is number 3.
  DIE_WITH("mov $1, %%eax; mov $3, %%edi; mov plant_address(%%rip), %%rsi; mov $12, %%edx", "syscall");
  chain_sink = 0;  // frame: die
}
