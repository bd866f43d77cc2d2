// Exit status 0: the processor's debug registers stop a program that is traced. Some virtual machines have none.
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int watched;

int main(void) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    watched = 1;
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[0]), &watched);
  ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 0xD0001L);  // slot 0: writes of 4 bytes
  ptrace(PTRACE_CONT, child, 0, 0);
  waitpid(child, &status, 0);
  const int stopped = WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
  kill(child, SIGKILL);
  return stopped ? 0 : 1;
}
