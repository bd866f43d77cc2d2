/* The vDSO: clock calls without entering the kernel (Linux: vdso(7)). Built as a shared object of its own, embedded
 * into the kernel and mapped into the app; it reads only the vvar page. */
#include "vdso.h"

extern const struct vvar vvar_page __attribute__((visibility("hidden")));

struct timespec {
  long seconds, nanoseconds;
};
struct timeval {
  long seconds, microseconds;
};

enum { CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCK_MONOTONIC_RAW = 4, CLOCK_REALTIME_COARSE = 5,
       CLOCK_MONOTONIC_COARSE = 6, CLOCK_BOOTTIME = 7, CLOCK_TAI = 11 };
enum { SYSCALL_GETTIMEOFDAY = 96, SYSCALL_TIME = 201, SYSCALL_CLOCK_GETTIME = 228, SYSCALL_CLOCK_GETRES = 229 };

#define NANOSECONDS 1000000000L
#define EXPORT __attribute__((visibility("default")))

static long system_call(long number, long first, long second) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
  return result;
}

static unsigned long nanoseconds_since_boot(void) {
  unsigned low, high;
  /* LFENCE: the counter is not read before what stands before the call (Intel SDM vol. 2B, RDTSC). */
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
  const unsigned long ticks = ((unsigned long)high << 32 | low) - vvar_page.base_tsc;
  return (unsigned long)(((unsigned __int128)ticks * vvar_page.multiplier) >> 32);
}

EXPORT int __vdso_clock_gettime(int clock, struct timespec* time) {
  const int wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
  const int monotonic = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
                        clock == CLOCK_BOOTTIME;
  if (vvar_page.multiplier == 0 || !(wall || monotonic))
    return (int)system_call(SYSCALL_CLOCK_GETTIME, clock, (long)time);
  const long now = (long)nanoseconds_since_boot() + (wall ? vvar_page.wall_offset_ns : 0);
  time->seconds = now / NANOSECONDS;
  time->nanoseconds = now % NANOSECONDS;
  return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval* time, void* zone) {
  if (vvar_page.multiplier == 0 || zone) return (int)system_call(SYSCALL_GETTIMEOFDAY, (long)time, (long)zone);
  if (!time) return 0;
  const long now = (long)nanoseconds_since_boot() + vvar_page.wall_offset_ns;
  time->seconds = now / NANOSECONDS;
  time->microseconds = now % NANOSECONDS / 1000;
  return 0;
}

EXPORT long __vdso_time(long* to) {
  if (vvar_page.multiplier == 0) return system_call(SYSCALL_TIME, (long)to, 0);
  const long now = ((long)nanoseconds_since_boot() + vvar_page.wall_offset_ns) / NANOSECONDS;
  if (to) *to = now;
  return now;
}

EXPORT int __vdso_clock_getres(int clock, struct timespec* resolution) {
  return (int)system_call(SYSCALL_CLOCK_GETRES, clock, (long)resolution);
}

/* One CPU. */
EXPORT long __vdso_getcpu(unsigned* cpu, unsigned* node, void* unused) {
  (void)unused;
  if (cpu) *cpu = 0;
  if (node) *node = 0;
  return 0;
}

int clock_gettime(int, struct timespec*) __attribute__((weak, alias("__vdso_clock_gettime"), visibility("default")));
int gettimeofday(struct timeval*, void*) __attribute__((weak, alias("__vdso_gettimeofday"), visibility("default")));
long time(long*) __attribute__((weak, alias("__vdso_time"), visibility("default")));
int clock_getres(int, struct timespec*) __attribute__((weak, alias("__vdso_clock_getres"), visibility("default")));
long getcpu(unsigned*, unsigned*, void*) __attribute__((weak, alias("__vdso_getcpu"), visibility("default")));
