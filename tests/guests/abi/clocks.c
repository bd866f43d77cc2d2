// The vDSO's clocks against the system calls'.
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(struct timespec time) { return time.tv_sec * 1000000000ll + time.tv_nsec; }

int main(void) {
  const Elf64_Ehdr* vdso = (const Elf64_Ehdr*)getauxval(AT_SYSINFO_EHDR);
  printf("vDSO: %d\n", vdso && memcmp(vdso->e_ident, ELFMAG, SELFMAG) == 0 && vdso->e_type == ET_DYN);
  struct timespec last, now, call;
  clock_gettime(CLOCK_MONOTONIC, &last);
  int backwards = 0;
  for (int i = 0; i < 100000; i++) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    backwards += nanoseconds(now) < nanoseconds(last);
    last = now;
  }
  printf("backwards: %d\n", backwards);
  int outside = 0;
  for (int i = 0; i < 100; i++) {
    for (int clock = CLOCK_REALTIME; clock <= CLOCK_MONOTONIC; clock++) {
      struct timespec after;
      clock_gettime(clock, &now);
      syscall(SYS_clock_gettime, clock, &call);
      clock_gettime(clock, &after);
      outside += nanoseconds(call) + 1000 < nanoseconds(now) || nanoseconds(call) > nanoseconds(after) + 1000;
    }
  }
  printf("call outside of the vDSO's times: %d\n", outside);
  struct timeval day;
  gettimeofday(&day, 0);
  clock_gettime(CLOCK_REALTIME, &now);
  printf("gettimeofday: %d\n", now.tv_sec - day.tv_sec <= 1);
  printf("time: %d\n", now.tv_sec - time(0) <= 0);
  printf("after 2020: %d\n", now.tv_sec > 1577836800);
  printf("bad clock: %s\n", clock_gettime(99, &now) < 0 ? strerrorname_np(errno) : "?");
  printf("process time grows: %d\n", clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0 && nanoseconds(now) > 0);
  printf("resolution: %d\n", clock_getres(CLOCK_MONOTONIC, &now) == 0 && nanoseconds(now) == 1);
  return 0;
}
