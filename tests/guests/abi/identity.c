// Users, groups, capabilities, and other things a process says about itself. Run as root.
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi.h"

static void show_users(const char* what) {
  uid_t ids[3];
  getresuid(&ids[0], &ids[1], &ids[2]);
  printf("%s: %u %u %u (%u %u)", what, ids[0], ids[1], ids[2], getuid(), geteuid());
  getresgid(&ids[0], &ids[1], &ids[2]);
  printf(", groups %u %u %u\n", ids[0], ids[1], ids[2]);
}

static struct __user_cap_data_struct g_data[2];
static int capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return (int)syscall(SYS_capget, &header, g_data);
}
static void show_capabilities(const char* what) {
  capabilities();
  printf("%s: some %d, permitted %d, inheritable %d\n", what, g_data[0].effective != 0, g_data[0].permitted != 0,
         g_data[0].inheritable != 0);
}

int main(void) {
  show_users("at first");
  show_capabilities("at first");
  struct __user_cap_header_struct header = {0x12345678, 0};
  fact("unknown version", error_of(syscall(SYS_capget, &header, g_data)));
  printf("version %#x\n", header.version);
  header.version = 0x12345678;
  fact("only the version", error_of(syscall(SYS_capget, &header, NULL)));
  header = (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, -1};
  fact("negative process", error_of(syscall(SYS_capget, &header, g_data)));
  header.pid = 9999999;
  fact("no process", error_of(syscall(SYS_capget, &header, g_data)));
  fact("another's", error_of(syscall(SYS_capset, &header, g_data)));
  header.pid = 0;
  fact("bad pointer", error_of(syscall(SYS_capget, &header, 8)));
  fact("bad header", error_of(syscall(SYS_capget, 8, g_data)));

  gid_t groups[70];
  fact("setgroups", error_of(syscall(SYS_setgroups, 2, (gid_t[]){5, 7})));
  fact("count", getgroups(0, groups));
  fact("no room", error_of(getgroups(1, groups)));
  fact("getgroups", getgroups(70, groups));
  printf("%u %u\n", groups[0], groups[1]);
  fact("negative", error_of(syscall(SYS_getgroups, -1, groups)));
  fact("too many groups", error_of(syscall(SYS_setgroups, 70000, groups)));
  fact("bad groups", error_of(syscall(SYS_setgroups, 1, 8)));

  fact("setgid", error_of(syscall(SYS_setgid, 33)));
  show_users("group 33");
  fact("setresuid", error_of(syscall(SYS_setresuid, 10, 20, 0)));
  show_users("three");
  show_capabilities("not root now");
  fact("setuid to another", error_of(syscall(SYS_setuid, 30)));
  fact("setgroups", error_of(syscall(SYS_setgroups, 0, NULL)));
  fact("setuid to the saved", error_of(syscall(SYS_setuid, 0)));
  show_users("root again");
  show_capabilities("root again");
  fact("setfsuid", syscall(SYS_setfsuid, 5));
  fact("setfsuid", syscall(SYS_setfsuid, -1));
  fact("setreuid", error_of(syscall(SYS_setreuid, 0, 40)));
  show_users("real and effective");
  fact("swap", error_of(syscall(SYS_setreuid, 40, 0)));
  show_users("swapped");
  fact("unchanged", error_of(syscall(SYS_setresuid, -1, -1, -1)));
  fact("minus one", error_of(syscall(SYS_setuid, -1)));
  fact("setregid", error_of(syscall(SYS_setregid, -1, 44)));
  show_users("effective group");

  // prctl.
  int number = -1;
  fact("dumpable", prctl(PR_GET_DUMPABLE) >= 0);
  fact("not dumpable", error_of(prctl(PR_SET_DUMPABLE, 0)));
  fact("is not", prctl(PR_GET_DUMPABLE));
  fact("by root only", error_of(prctl(PR_SET_DUMPABLE, 2)));
  fact("death signal", error_of(prctl(PR_SET_PDEATHSIG, SIGTERM)));
  prctl(PR_GET_PDEATHSIG, &number);
  fact("is", number);
  fact("no signal", error_of(prctl(PR_SET_PDEATHSIG, 65)));
  fact("timer slack", error_of(prctl(PR_SET_TIMERSLACK, 1234)));
  fact("is", prctl(PR_GET_TIMERSLACK));
  fact("default", error_of(prctl(PR_SET_TIMERSLACK, 0)));
  fact("is", prctl(PR_GET_TIMERSLACK));
  fact("no new privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  fact("with rubbish", error_of(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0)));
  fact("set", error_of(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
  fact("is", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  fact("never back", error_of(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)));
  fact("subreaper", error_of(prctl(PR_SET_CHILD_SUBREAPER, 1)));
  prctl(PR_GET_CHILD_SUBREAPER, &number);
  fact("is", number);
  fact("huge pages off", error_of(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)));
  fact("are", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  fact("keep capabilities", prctl(PR_GET_KEEPCAPS));
  fact("no such capability", error_of(prctl(PR_CAPBSET_READ, 99)));
  fact("one", prctl(PR_CAPBSET_READ, CAP_SETUID));
  fact("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SETUID, 0, 0));
  fact("no such control", error_of(prctl(9999)));
  char name[20];
  fact("name", error_of(prctl(PR_SET_NAME, "a name that is too long")));
  fact("get name", error_of(prctl(PR_GET_NAME, name)));
  puts(name);
  fact("bad name", error_of(prctl(PR_SET_NAME, 8)));

  // Giving up everything.
  fact("setresgid", error_of(syscall(SYS_setresgid, 33, 33, 33)));
  fact("setuid", error_of(syscall(SYS_setuid, 33)));
  show_users("nobody");
  show_capabilities("nobody");
  fact("no way back", error_of(syscall(SYS_setuid, 0)));
  fact("no way back", error_of(syscall(SYS_setreuid, 0, 0)));
  fact("no way back", error_of(syscall(SYS_setresuid, 0, -1, -1)));
  fact("its own", error_of(syscall(SYS_setresuid, 33, 33, 33)));
  fact("setgid", error_of(syscall(SYS_setgid, 0)));
  fact("name of the host", error_of(sethostname("x", 1)));
  g_data[0].permitted = g_data[0].effective = 1;
  header = (struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, 0};
  fact("more capabilities", error_of(syscall(SYS_capset, &header, g_data)));

  // Children there are none.
  int status;
  fact("wait4", error_of(wait4(-1, &status, 0, NULL)));
  fact("flags", error_of(wait4(-1, &status, 0x100, NULL)));
  fact("waitid", error_of(waitid(P_ALL, 0, NULL, WEXITED)));
  fact("for nothing", error_of(waitid(P_ALL, 0, NULL, 0)));
  fact("no kind", error_of(syscall(SYS_waitid, 9, 0, 0, WEXITED, 0)));
  fact("process 0", error_of(syscall(SYS_waitid, P_PID, 0, 0, WEXITED, 0)));
  fact("no signal", error_of(kill(getpid(), 65)));
  fact("is there", error_of(kill(getpid(), 0)));
  fact("no such process", error_of(kill(9999999, 0)));

  fact("personality", personality(0xffffffff) == PER_LINUX);
  fact("no randomness", error_of(personality(ADDR_NO_RANDOMIZE)));
  fact("is", personality(0xffffffff));
  personality(PER_LINUX);
  struct rusage usage;
  fact("getrusage", error_of(getrusage(RUSAGE_SELF, &usage)));
  fact("of threads", error_of(getrusage(RUSAGE_THREAD, &usage)));
  fact("of nobody", error_of(getrusage(5, &usage)));
  struct tms time;
  fact("times", times(&time) != -1);
  struct utsname names;
  fact("uname", error_of(uname(&names)));
  puts(names.sysname);
  puts(names.machine);
  fact("into a group that is not there", error_of(setpgid(0, 99999)));
  fact("into a negative one", error_of(setpgid(0, -1)));
  fact("another process", error_of(setpgid(99999, 0)));
  fact("ioprio_set", error_of(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 4)));
  fact("ioprio_get", syscall(SYS_ioprio_get, 1, 0));
  fact("bad class", error_of(syscall(SYS_ioprio_set, 1, 0, 5 << 13)));
  fact("nobody's", error_of(syscall(SYS_ioprio_get, 9, 0)));
  fact("key with flags", error_of(syscall(SYS_pkey_alloc, 1, 0)));
  fact("key with bad rights", error_of(syscall(SYS_pkey_alloc, 0, 4)));
  return 0;
}
