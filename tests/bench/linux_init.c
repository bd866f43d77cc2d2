// /init of the Linux guest that Mortem is measured beside: as little as brings up the network and starts one program.
// It loads the modules that /modules lists, gives eth0 the address in /address, runs the words of /command (one a line)
// as its child, and reboots when that ends, which is what an operating system has to do to serve again.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char* what) {
  printf("init: %s: %s\n", what, strerror(errno));
  reboot(RB_POWER_OFF);
}

// The lines of a file, NULL at the end.
static char** lines(const char* path) {
  static char* found[4][64];
  static int used;
  FILE* file = fopen(path, "r");
  char** list = found[used++];
  char line[512];
  int count = 0;
  while (file != NULL && count < 63 && fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = 0;
    list[count++] = strdup(line);
  }
  list[count] = NULL;
  return list;
}

static void load_modules(void) {
  for (char** module = lines("/modules"); *module != NULL; ++module) {
    const int file = open(*module, O_RDONLY);
    if (file < 0 || syscall(SYS_finit_module, file, "", 0) != 0) fail(*module);
    close(file);
  }
}

static void set_interface(int control, const char* name, const char* address) {
  struct ifreq request = {0};
  strcpy(request.ifr_name, name);
  struct sockaddr_in* in = (struct sockaddr_in*)&request.ifr_addr;
  in->sin_family = AF_INET;
  inet_pton(AF_INET, address, &in->sin_addr);
  if (ioctl(control, SIOCSIFADDR, &request) != 0) fail(name);
  inet_pton(AF_INET, "255.255.255.0", &in->sin_addr);
  if (ioctl(control, SIOCSIFNETMASK, &request) != 0) fail(name);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(control, SIOCSIFFLAGS, &request) != 0) fail(name);
}

int main(void) {
  mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755), mkdir("/tmp", 01777);
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
  load_modules();
  const int control = socket(AF_INET, SOCK_DGRAM, 0);
  char** address = lines("/address");
  set_interface(control, "lo", "127.0.0.1");
  if (address[0] != NULL) set_interface(control, "eth0", address[0]);
  close(control);
  char** command = lines("/command");
  const pid_t child = fork();
  if (child == 0) {
    if (chdir("/tmp") == 0) execv(command[0], command);
    fail(command[0]);
  }
  int status = 0;
  while (waitpid(child, &status, 0) != child);
  reboot(RB_AUTOBOOT);
  return 1;
}
