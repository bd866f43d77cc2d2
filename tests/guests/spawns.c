// Asks for a second process and for another program, as an attacker would, and goes on when it gets neither.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static __attribute__((noinline)) int start_shell(char** arguments) {
  int result = execve("/bin/sh", arguments, NULL);
  return result == -1 ? errno : 0;
}

int main(int count, char** arguments) {
  (void)count;
  const int forked = fork();
  printf("fork: %d errno %d\n", forked, forked == -1 ? errno : 0);
  printf("execve: errno %d\n", start_shell(arguments));
  return 0;
}
