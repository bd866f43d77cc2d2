// Asks five times for a system call that Mortem does not have (kexec_load) and says what it got.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
  for (int i = 0; i < 5; i++) {
    long result = syscall(SYS_kexec_load, 0, 0, 0, 0);
    if (result != -1 || errno != ENOSYS) {
      printf("kexec_load: %ld %s\n", result, strerror(errno));
      return 1;
    }
  }
  printf("kexec_load is not there\n");
  return 0;
}
